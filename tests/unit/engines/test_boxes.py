"""Real boxes of both engines, as whoever runs this (root and an ordinary user are two runs)."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import tarfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sandlot.contracts import errors
from sandlot.contracts.capability import Feature
from sandlot.contracts.command import Command
from sandlot.contracts.events import Event, Exited, Reason, Started
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.result import Result, fold
from sandlot.contracts.spec import Isolation, Limits, Network, SandboxSpec
from sandlot.engines import registry
from sandlot.engines.keeping import KeeperEngine
from sandlot.link.agentbox import AgentBox

pytestmark = [pytest.mark.engine, pytest.mark.linux]

T = TypeVar("T")


class Bench:
    """One engine and one loop."""

    def __init__(self, name: str) -> None:
        self._runner = asyncio.Runner()
        engine = registry.make(name)
        assert isinstance(engine, KeeperEngine)
        self.engine = engine

    def drive(self, scene: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(asyncio.wait_for(scene, 30))

    async def new_box(self, spec: SandboxSpec | None = None) -> AgentBox:
        return await self.engine.create(spec or SandboxSpec())

    def run(self, command: Command, spec: SandboxSpec | None = None) -> Result:
        async def scene() -> Result:
            box = await self.new_box(spec)
            try:
                return await result_of(box, command)
            finally:
                await box.close()

        return self.drive(scene())

    def close(self) -> None:
        self.drive(self.engine.close())
        self._runner.close()


async def result_of(box: AgentBox, command: Command) -> Result:
    events = [event async for event in box.run(command)]
    return fold(events, engine=box.engine, isolation=box.isolation, enforced=box.enforced)


@pytest.fixture(scope="module", params=["bubblewrap", "process", "zygote"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    if obstacle := made.engine.obstacle():
        pytest.skip(": ".join(obstacle))
    yield made
    made.close()


def test_the_probe_proves_every_wall_it_lists(bench: Bench) -> None:
    found = bench.drive(bench.engine.probe())
    assert found.cause is None
    assert {"seccomp", "landlock", "no_new_privs", "capabilities", "network"} <= set(found.enforced)
    assert (found.isolation is Isolation.NAMESPACE) == ("namespaces" in found.enforced)
    assert 0 < found.seconds < 10


def test_code_and_programs_run_and_say_how_they_ended(bench: Bench) -> None:
    assert bench.run(Command(code="print(1)")).stdout == b"1\n"
    failed = bench.run(Command.shell("echo oops >&2; exit 3"))
    assert (failed.reason, failed.exit_code, failed.stderr) == (Reason.EXITED, 3, b"oops\n")
    assert bench.run(Command(argv=("no-such-program",))).exit_code == 127
    killed = bench.run(Command(code="import os; os.kill(os.getpid(), 9)"))
    assert (killed.reason, killed.signal, killed.exit_code) == (Reason.SIGNALLED, 9, 137)


def test_a_program_sees_its_workspace_and_its_variables(bench: Bench) -> None:
    names = ("HOME", "SANDLOT_WORKSPACE", "PWD")
    code = f"import os; print({{os.environ[name] for name in {names}}} == {{os.getcwd()}}, os.environ['K'])"
    assert bench.run(Command(code=code, env={"K": "v"})).text == "True v\n"
    listed = bench.run(Command(argv=("env",))).text.splitlines()
    assert {line.partition("=")[0] for line in listed} == {
        *names, "LANG", "LOGNAME", "PATH", "TMPDIR", "USER"
    }  # fmt: skip


def test_a_timeout_is_kept(bench: Bench) -> None:
    result = bench.run(Command(code="while True: pass", timeout=Seconds(0.3)))
    assert (result.reason, result.exit_code) == (Reason.TIMEOUT, 124)
    assert 0.3 <= result.duration < 0.6


def test_output_is_cut_at_the_limit_and_a_flood_is_ended(bench: Bench) -> None:
    some = bench.run(Command(code="print('x' * 5000)", output_limit=Bytes(1000)))
    assert (some.reason, len(some.stdout), some.stdout_truncated) == (Reason.EXITED, 1000, True)
    flood = bench.run(Command(argv=("yes",)))
    assert (flood.reason, len(flood.stdout)) == (Reason.OUTPUT_LIMIT, 2**20)


def test_the_network_is_out_of_reach(bench: Bench) -> None:
    code = (
        "import socket\ntry: socket.create_connection(('127.0.0.1', 22), 2)\nexcept OSError as e: print('no')"
    )
    assert bench.run(Command(code=code)).text == "no\n"


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


def test_trees_go_in_and_come_out(bench: Bench) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("d/f")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"abc"))

    async def scene() -> tuple[str, list[str]]:
        box = await bench.new_box()
        try:
            await box.put(WORKSPACE, _pieces(packed.getvalue()))
            said = (
                await result_of(box, Command.shell("cat d/f; ln -s /etc/passwd l; mkfifo p; echo > g"))
            ).text
            out = b"".join([data async for data in box.get(WORKSPACE)])
            return said, sorted(tarfile.open(fileobj=io.BytesIO(out)).getnames())
        finally:
            await box.close()

    assert bench.drive(scene()) == ("abc", ["d", "d/f", "g"])


def test_a_full_workspace_is_an_error_of_the_disk(bench: Bench) -> None:
    spec = SandboxSpec(limits=Limits(disk=Bytes(2**20)))

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)

    async def scene() -> None:
        box = await bench.new_box(spec)
        try:
            with pytest.raises(errors.DiskFull):
                await box.write(WORKSPACE / "f", endless())
            full = await result_of(box, Command.shell("head -c 4M /dev/zero > f; echo $?"))
            assert full.stdout.strip() != b"0"
        finally:
            await box.close()

    bench.drive(scene())


def test_a_memory_bomb_ends_in_the_box(bench: Bench) -> None:
    if Feature.LIMIT_MEMORY not in bench.drive(bench.engine.probe()).features:
        with pytest.raises(errors.Unsupported, match="limit_memory"):
            bench.run(Command(code="1"), SandboxSpec(limits=Limits(memory=Bytes(2**27))))
        return
    spec = SandboxSpec(limits=Limits(memory=Bytes(2**27)))
    result = bench.run(Command(code="x = bytearray(2**29)"), spec)
    assert (result.reason, result.exit_code) == (Reason.OUT_OF_MEMORY, 137)


def test_a_fork_bomb_stops_at_the_limit(bench: Bench) -> None:
    code = (
        "import os, time\nmade = 0\nfor _ in range(100):\n"
        "  try:\n    if os.fork() == 0: time.sleep(60)\n  except BlockingIOError: break\n"
        "  made += 1\nprint(made)"
    )
    spec = SandboxSpec(limits=Limits(pids=20))
    if Feature.LIMIT_PIDS not in bench.drive(bench.engine.probe()).features:
        with pytest.raises(errors.Unsupported, match="limit_pids"):
            bench.run(Command(code=code), spec)
        return
    assert 5 < int(bench.run(Command(code=code), spec).text) < 20


def test_background_processes_are_fed_watched_and_ended(bench: Bench) -> None:
    code = "import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True)"

    async def scene() -> None:
        box = await bench.new_box()
        try:
            process = await box.start(Command(code=code, timeout=None))
            assert [row["running"] for row in await box.processes() if row["id"] == process] == [True]
            await box.feed(process, b"one\n")
            await box.feed(process, b"two\n", end=True)
            assert (await box.wait(process, 5))["exit_code"] == 0
            assert (await box.output(process))[0] == b"ONE\nTWO\n"
            counter = await box.start(Command(argv=("wc", "-c"), stdin=bytes(10**6), timeout=None))
            await box.wait(counter, 5)
            assert (await box.output(counter))[0].strip() == b"1000000"
            sleeper = await box.start(Command(argv=("sleep", "1000"), timeout=None))
            with pytest.raises(errors.TimedOut):
                await box.wait(sleeper, 0.05)
            await box.signal(sleeper, signal.SIGTERM)
            assert (await box.wait(sleeper, 5))["signal"] == signal.SIGTERM
        finally:
            await box.close()

    bench.drive(scene())


def test_a_terminal_is_one(bench: Bench) -> None:
    async def scene() -> list[Event]:
        box = await bench.new_box()
        try:
            terminal = await box.open(Command.shell("tty && read word && echo got $word"))
            await terminal.type(b"hello\r")
            return [event async for event in terminal.events()]
        finally:
            await box.close()

    events = bench.drive(scene())
    text = b"".join(getattr(event, "data", b"") for event in events)
    assert b"/dev/pts/" in text
    assert b"got hello" in text
    assert isinstance(events[0], Started)


def test_closing_the_iterator_kills_the_program_and_the_box_lives_on(bench: Bench) -> None:
    async def scene() -> bool:
        box = await bench.new_box()
        try:
            async with aclosing(box.run(Command.shell("sleep 1000 & sleep 1000"))) as running:
                await anext(running)
            return (await result_of(box, Command.shell("true"))).ok
        finally:
            await box.close()

    assert bench.drive(scene())


def test_what_no_box_can_have_is_refused(bench: Bench) -> None:
    with pytest.raises(errors.NotFound):
        bench.drive(bench.new_box(SandboxSpec(environment="no-such-environment")))


def test_full_network_is_said_by_the_box(bench: Bench) -> None:
    if bench.engine.name == "zygote":
        with pytest.raises(errors.Unsupported, match="network_full"):
            bench.run(Command(code="1"), SandboxSpec(network=Network.FULL))
        return
    command = Command(code="import socket; socket.socket(); print('socket')")
    result = bench.run(command, SandboxSpec(network=Network.FULL))
    assert (result.text, "network" in result.enforced) == ("socket\n", False)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def _killing(bench: Bench, pick: Any) -> tuple[Exited, float]:
    box = await bench.new_box()
    keeper = bench.engine._keeper
    assert keeper is not None
    async with aclosing(box.run(Command(argv=("sleep", "1000")))) as running:
        await anext(running)
        os.kill(pick(keeper.stub_pid), signal.SIGKILL)
        started = time.monotonic()
        end = [event async for event in running][-1]
    await box.close()
    assert isinstance(end, Exited)
    return end, time.monotonic() - started


def _first(stub: int) -> int:
    return _children(_children(stub)[0])[-1]


def test_the_death_of_each_part_is_told_and_takes_the_box_along(bench: Bench) -> None:
    # What is between keeper and agent: bubblewrap, or the warden, a part of the keeper.
    between = {"bubblewrap": "launcher", "zygote": "keeper"}.get(bench.engine.name)
    parts = [("agent", lambda stub: _children(_first(stub))[-1] if between else _first(stub))]
    parts += [(between, _first)] if between else []
    parts += [("keeper", lambda stub: _children(stub)[0])]
    for who, pick in parts:
        end, seconds = bench.drive(_killing(bench, pick))
        assert (end.reason, end.exit_code, end.who) == (Reason.BOX_DIED, 125, who)
        assert seconds < 2
    assert bench.run(Command(code="print('again')")).text == "again\n"
