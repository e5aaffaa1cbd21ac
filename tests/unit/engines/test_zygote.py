"""Boxes of real zygotes, as whoever runs this (root and an ordinary user are two runs)."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import Conflict, EngineUnavailable, NotFound, StartFailed, Unsupported
from sandlot.contracts.quantity import Bytes
from sandlot.contracts.result import Result, fold
from sandlot.contracts.spec import (
    Limits,
    Network,
    SandboxSpec,
)
from sandlot.engines.zygote.engine import ZygoteEngine
from sandlot.environments import registry as environments
from sandlot.environments.environment import SYSTEM
from sandlot.environments.registry import DESCRIPTION

pytestmark = [pytest.mark.engine, pytest.mark.linux, pytest.mark.needs_engine("zygote")]

Scene = Callable[[ZygoteEngine], Awaitable[None]]


def with_engine(scene: Scene) -> None:
    async def scenario() -> None:
        engine = ZygoteEngine()
        try:
            found = await engine.probe()
            if not found.works:
                pytest.skip(f"engine zygote cannot work here: {found.cause}")
            await scene(engine)
        finally:
            await engine.close()

    asyncio.run(asyncio.wait_for(scenario(), 40))


async def result_of(box: Box, command: Command) -> Result:
    events = [event async for event in box.run(command)]
    return fold(events, engine=box.engine, isolation=box.isolation, enforced=box.enforced)


@pytest.fixture
def describe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Makes an environment of the system's Python with other modules to load; its name."""
    system = environments.get(SYSTEM)
    own = Path(tempfile.mkdtemp(prefix="sandlot-zygote-"))  # zygotes of another uid read below it
    own.chmod(0o755)
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(own))

    def make(name: str, *preload: str) -> str:
        folder = own / "environments" / name
        folder.mkdir(parents=True)
        described = replace(system, name=name, preload=preload).to_json()
        (folder / DESCRIPTION).write_text(json.dumps(described))
        return name

    yield make
    shutil.rmtree(own)


def test_modules_are_loaded_before_a_program_asks_for_them(describe: Callable[..., str]) -> None:
    name = describe("loaded", "colorsys", "decimal")
    text = "import sys; print([name for name in ('colorsys', 'decimal', 'chunk') if name in sys.modules])"

    async def scene(engine: ZygoteEngine) -> None:
        for environment, found in ((name, "['colorsys', 'decimal']\n"), (None, "[]\n")):
            box = await engine.create(SandboxSpec(environment=environment))
            assert (await result_of(box, Command(code=text))).text == found
            await box.close()

    with_engine(scene)


def test_an_environment_that_does_not_load_says_why_and_leaves_others_alone(
    describe: Callable[..., str],
) -> None:
    broken = describe("broken", "no_such_module_anywhere")

    async def scene(engine: ZygoteEngine) -> None:
        for _ in range(2):
            with pytest.raises(StartFailed, match="ModuleNotFoundError: No module named 'no_such_module_any"):
                await engine.create(SandboxSpec(environment=broken))
        box = await engine.create(SandboxSpec())
        assert (await result_of(box, Command(code="print(1)"))).text == "1\n"
        await box.close()
        with pytest.raises(NotFound, match="sandlot env create"):
            await engine.create(SandboxSpec(environment="never-made"))

    with_engine(scene)


def test_a_claim_fits_the_box_and_its_result_says_what_held() -> None:
    async def scene(engine: ZygoteEngine) -> None:
        limits = Limits(disk=Bytes(3 * 2**20), inodes=50, pids=30, open_files=99)
        parked = await engine.park(SYSTEM)
        box = await engine.claim(parked, SandboxSpec(limits=limits, env={"COLOUR": "blue"}))
        text = (
            "import os, resource as r\nfound = os.statvfs('/workspace')\n"
            "print(found.f_blocks * found.f_frsize, found.f_files, r.getrlimit(r.RLIMIT_NPROC)[0],"
            " r.getrlimit(r.RLIMIT_NOFILE)[0], os.environ['COLOUR'], os.environ['HOME'])"
        )
        result = await result_of(box, Command(code=text, env={"COLOUR": "red"}))
        assert result.text == f"{3 * 2**20} 50 30 99 red /workspace\n"
        assert {"users", "namespaces", "mounts", "network", "disk", "inodes", "seccomp"} <= set(
            result.enforced
        )
        await box.close()

    with_engine(scene)


def test_a_claim_that_is_refused_leaves_no_box() -> None:
    async def scene(engine: ZygoteEngine) -> None:
        parked = await engine.park(SYSTEM)
        with pytest.raises(Unsupported, match="network"):
            await engine.claim(parked, SandboxSpec(network=Network.FULL))
        await parked.kept.exit
        with pytest.raises(Unsupported, match="network"):
            engine.stock(SandboxSpec(network=Network.FULL))
        assert engine.stock(SandboxSpec()) == SYSTEM
        assert engine.stock(SandboxSpec(environment="science")) == "science"

    with_engine(scene)


def test_a_box_that_is_discarded_is_gone_and_cannot_be_claimed() -> None:
    async def scene(engine: ZygoteEngine) -> None:
        parked = await engine.park(SYSTEM)
        descriptors = len(os.listdir("/proc/self/fd"))
        other = await engine.park(SYSTEM)
        await other.discard()
        await other.kept.exit
        assert len(os.listdir("/proc/self/fd")) == descriptors
        with pytest.raises(StartFailed, match="parked"):
            await engine.claim(other, SandboxSpec())
        box = await engine.claim(parked, SandboxSpec())
        assert (await result_of(box, Command(code="print(1)"))).text == "1\n"
        await box.close()

    with_engine(scene)


def test_a_closed_engine_parks_nothing() -> None:
    async def scene(engine: ZygoteEngine) -> None:
        await engine.close()
        with pytest.raises(EngineUnavailable, match="closed"):
            await engine.create(SandboxSpec())

    with_engine(scene)


WHOLE_PROCESSES = {
    "threads have ids of their own": (
        (
            "import os, threading\nfound = []\n"
            "t = threading.Thread(target=lambda: found.append(threading.get_native_id()))\n"
            "t.start(); t.join()\n"
            "print(threading.get_native_id() == os.getpid() != found[0], threading.active_count())"
        ),
        "True 1\n",
    ),
    "a signal to oneself arrives": (
        "import signal\nsignal.signal(10, lambda *_: print('got')); signal.raise_signal(10)",
        "got\n",
    ),
    "children of every kind": (
        (
            "import asyncio, multiprocessing as m, os, subprocess\n"
            "with m.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-1, -2]))\n"
            "async def main():\n  p = await asyncio.create_subprocess_exec('sh', '-c', 'exit 3')\n"
            "  return await p.wait()\n"
            "print(asyncio.run(main()), subprocess.run(['sh', '-c', 'exit 4']).returncode)\n"
            "if os.fork() == 0: os._exit(5)\nprint(os.waitstatus_to_exitcode(os.wait()[1]))"
        ),
        "[1, 2]\n3 4\n5\n",
    ),
    "an end like any other": (
        (
            "import atexit, threading, time\natexit.register(print, 'exit')\n"
            "threading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()\n"
            "class A:\n  def __del__(s): print('finaliser')\na = A()"
        ),
        "thread\nexit\nfinaliser\n",
    ),
    "nothing of its makers": (
        (
            "import gc, os, signal, sys\n"
            "print(gc.isenabled(), [n for n in sys.modules if 'sandlot' in n], sys.argv, sys.path[-1])\n"
            "print([s for s in signal.valid_signals() if callable(signal.getsignal(s))"
            " and s != signal.SIGINT], sorted(os.environ)[:2])"
        ),
        "True [] ['-c'] /workspace\n[] ['HOME', 'LANG']\n",
    ),
}


def test_a_program_in_a_clone_is_a_whole_process() -> None:
    async def scene(engine: ZygoteEngine) -> None:
        box = await engine.create(SandboxSpec())
        for _ in range(2):  # the spare that was parked, then those that came after
            for name, (text, expected) in WHOLE_PROCESSES.items():
                result = await result_of(box, Command(code=text))
                assert (name, result.text, result.stderr) == (name, expected, b"")
        await box.close()

    with_engine(scene)


def test_a_parked_box_serves_once() -> None:
    async def scene(engine: ZygoteEngine) -> None:
        parked = await engine.park(SYSTEM)
        box = await engine.claim(parked, SandboxSpec())
        with pytest.raises(Conflict, match="once"):
            await engine.claim(parked, SandboxSpec())
        await box.close()

    with_engine(scene)
