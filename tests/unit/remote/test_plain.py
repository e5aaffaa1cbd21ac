"""Boxes on a backend that speaks NoxRunner v1 and nothing else."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import EngineUnavailable, Unsupported
from sandlot.contracts.events import Event, Exited, Failed, Reason, Started, Stderr, Stdout
from sandlot.contracts.handler import Handler
from sandlot.contracts.lease import EndReason
from sandlot.contracts.quantity import Bytes, Cores, Seconds
from sandlot.contracts.spec import Isolation, Limits, Mount, Network, SandboxSpec
from sandlot.engines import registry
from sandlot.engines.registry import Offer
from sandlot.engines.remote.engine import RemoteEngine
from tests.unit.remote.noxrunner import NoxRunner, serving

OPEN = SandboxSpec(network=Network.FULL)


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[NoxRunner]:
    with serving(tmp_path) as place:
        yield place


def _with_box(backend: NoxRunner, use: Callable[[Box], Awaitable[Any]], spec: SandboxSpec = OPEN) -> Any:
    async def run() -> Any:
        engine = RemoteEngine(url=backend.url)
        try:
            return await use(await engine.create(spec))
        finally:
            await engine.close()

    return asyncio.run(run())


def _told(backend: NoxRunner, command: Command, spec: SandboxSpec = OPEN) -> list[Event]:
    async def use(box: Box) -> list[Event]:
        return [event async for event in box.run(command)]

    found: list[Event] = _with_box(backend, use, spec)
    return found


def _end(backend: NoxRunner, command: Command, spec: SandboxSpec = OPEN) -> Event:
    return _told(backend, command, spec)[-1]


def test_a_command_is_told_at_its_end_and_nothing_is_left(backend: NoxRunner) -> None:
    started, out, err, end = _told(backend, Command.shell("echo out; echo err >&2; exit 3"))
    assert (started, out, err) == (Started("1"), Stdout(b"out\n"), Stderr(b"err\n"))
    assert isinstance(end, Exited)
    assert (end.reason, end.exit_code) == (Reason.EXITED, 3)
    assert backend.names() == []


def test_nothing_is_promised_of_such_a_box(backend: NoxRunner) -> None:
    async def use(box: Box) -> tuple[Any, ...]:
        return box.engine, box.isolation, box.enforced

    assert _with_box(backend, use) == ("remote", Isolation.PROCESS, ())


def test_the_probe_runs_a_program_and_claims_nothing(backend: NoxRunner) -> None:
    offer = Offer("remote", Isolation.PROCESS, partial(RemoteEngine, url=backend.url))
    found = asyncio.run(registry.probe(offer))
    assert (found.works, found.isolation, found.enforced) == (True, Isolation.PROCESS, ())
    assert found.seconds > 0
    assert backend.names() == []


@pytest.mark.parametrize("asked", [{"image": "python:3.12"}, {"environment": "science"}])
def test_name_and_lease_are_chosen_here(backend: NoxRunner, asked: dict[str, str]) -> None:
    spec = SandboxSpec(network=Network.FULL, ttl=Seconds(90.5), **asked)  # type: ignore[arg-type]
    _told(backend, Command(argv=("true",)), spec)
    assert backend.bodies("PUT", "") == [{"ttlSeconds": 91, "image": next(iter(asked.values()))}]
    [(path, _)] = [(path, body) for verb, path, body in backend.heard if verb == "PUT"]
    assert len(path.removeprefix("/v1/sandboxes/remote-")) == 32


def test_what_was_not_asked_is_the_backends_to_choose(backend: NoxRunner) -> None:
    _told(backend, Command(argv=("true",)), SandboxSpec(network=Network.FULL, environment="system"))
    assert backend.bodies("PUT", "") == [{"ttlSeconds": 60}]


@pytest.mark.parametrize(
    "spec",
    [
        SandboxSpec(),
        SandboxSpec(network=Network.NONE),
        SandboxSpec(network=Network.FULL, isolation=Isolation.NAMESPACE),
        SandboxSpec(network=Network.FULL, engine="bubblewrap"),
        SandboxSpec(network=Network.FULL, mounts=(Mount("/etc", PurePosixPath("/mnt")),)),
        *(
            SandboxSpec(network=Network.FULL, limits=limits)
            for limits in (
                Limits(memory=Bytes(2**30)), Limits(cpu=Cores(1)), Limits(pids=9), Limits(disk=Bytes(2**20)),
                Limits(inodes=9), Limits(open_files=9),
            )
        ),
    ],
)  # fmt: skip
def test_what_nobody_proves_is_refused_before_anything_is_made(backend: NoxRunner, spec: SandboxSpec) -> None:
    with pytest.raises(Unsupported):
        _with_box(backend, _nothing, spec)
    assert backend.bodies("PUT", "") == []


@pytest.mark.parametrize(
    "rest",
    [
        {"stdin": b"x"}, {"tty": TerminalSize()}, {"timeout": None}, {"background": True},
        {"argv": (), "code": "#" * 131_072}, {"argv": (), "code": "", "handler": Handler()},
    ],
)  # fmt: skip
def test_what_there_is_no_word_for_fails(backend: NoxRunner, rest: dict[str, Any]) -> None:
    end = _end(backend, Command(**{"argv": ("true",), **rest}))
    assert isinstance(end, Failed)
    assert end.code == "unsupported"
    assert backend.bodies("POST", "exec") == []


def test_variables_code_and_workdir_are_passed_on(backend: NoxRunner) -> None:
    spec = SandboxSpec(network=Network.FULL, env={"ONE": "box", "TWO": "box"})
    command = Command(code="import os; print(os.environ['ONE'], os.environ['TWO'])", env={"TWO": "command"})
    assert Stdout(b"box command\n") in _told(backend, command, spec)
    [asked] = backend.bodies("POST", "exec")
    assert (asked["cmd"][:2], asked["workdir"], asked["timeoutSeconds"]) == (
        ["python3", "-c"],
        "/workspace",
        30,
    )


@pytest.mark.parametrize(
    ("line", "timeout", "expected"),
    [
        ("echo partial; sleep 9", 0.5, (Reason.TIMEOUT, 124, None)),
        ("exit 124", 9, (Reason.EXITED, 124, None)),
        ("kill -9 $$", 9, (Reason.SIGNALLED, 137, 9)),
        ("exec no-such-program", 9, (Reason.EXITED, 127, None)),
    ],
)
def test_endings_are_told_as_far_as_they_are_known(
    backend: NoxRunner, line: str, timeout: float, expected: tuple[Any, ...]
) -> None:
    end = _end(backend, Command.shell(line, timeout=Seconds(timeout)))
    assert isinstance(end, Exited)
    assert (end.reason, end.exit_code, end.signal) == expected


@pytest.mark.parametrize("by", ["command", "spec"])
def test_output_is_cut_here_and_marked(backend: NoxRunner, by: str) -> None:
    limit = Bytes(1000)
    spec = SandboxSpec(network=Network.FULL, limits=Limits(output=limit if by == "spec" else None))
    line = "head -c 3000 /dev/zero; echo err >&2"
    command = Command.shell(line, output_limit=limit if by == "command" else None)
    _, out, err, end = _told(backend, command, spec)
    assert (out, err) == (Stdout(bytes(1000)), Stderr(b"err\n"))
    assert isinstance(end, Exited)
    assert (end.stdout_truncated, end.stderr_truncated) == (True, False)


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
def test_files_make_the_round_as_plain_tar(backend: NoxRunner, packed: bool) -> None:
    async def use(box: Box) -> dict[str, bytes]:
        await box.put(PurePosixPath("/workspace/in"), _pieces(_archive(packed=packed)))
        tar = b"".join([piece async for piece in box.get(PurePosixPath("/workspace/in"))])
        return _files(tar)

    assert _with_box(backend, use) == {"a": b"one", "d/b": bytes(range(256)) * 500}


def test_a_sandbox_that_is_gone_is_a_dead_box(backend: NoxRunner) -> None:
    async def use(box: Box) -> tuple[Event, EndReason]:
        (backend.home / backend.names()[0]).rename(backend.home / "away")
        [end] = [event async for event in box.run(Command(argv=("true",)))]
        return end, (await box.ended()).reason

    end, reason = _with_box(backend, use)
    assert (end.reason, reason) == (Reason.BOX_DIED, EndReason.DELETED)


def test_a_lease_is_renewed_as_long_as_the_box_lives(backend: NoxRunner) -> None:
    async def use(_box: Box) -> None:
        for _ in range(2):
            assert await asyncio.to_thread(backend.touched.acquire, timeout=10)

    _with_box(backend, use, SandboxSpec(network=Network.FULL, ttl=Seconds(1)))
    assert backend.bodies("PUT", "") == [{"ttlSeconds": 3}]


def test_a_closed_engine_makes_no_more(backend: NoxRunner) -> None:
    async def run() -> None:
        engine = RemoteEngine(url=backend.url)
        await (await engine.create(OPEN)).close()
        await engine.create(OPEN)
        await engine.close()
        await engine.close()
        with pytest.raises(EngineUnavailable, match="closed"):
            await engine.create(OPEN)

    asyncio.run(run())
    assert backend.names() == []


async def _nothing(_box: Box) -> None:
    raise AssertionError("a box was made")


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


def _archive(*, packed: bool) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz" if packed else "w") as tar:
        for name, content in {"a": b"one", "d/b": bytes(range(256)) * 500}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def _files(tar: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as opened:
        found = {member.name: opened.extractfile(member) for member in opened if member.isreg()}
        return {name: file.read() for name, file in found.items() if file is not None}
