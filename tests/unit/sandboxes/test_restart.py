"""A service of real boxes is killed with -9 and another takes over: nothing is lost and nothing is left."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from sandlot import settings
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import Conflict, Forbidden, NotFound
from sandlot.contracts.lease import EndReason, State
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.result import Result
from sandlot.contracts.spec import SandboxSpec
from sandlot.contracts.streams import ended
from sandlot.local.service import OWNER, LocalService, told
from sandlot.local.start import open_service
from sandlot.sandboxes.agreement import WorkspacePolicy
from tests.unit.local.machine import data_directory, obstacle
from tests.unit.sandboxes.house import until

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap"), pytest.mark.timeout(120)]

SPEC = SandboxSpec(ttl=Seconds(600), env={"TOKEN": "kept"})
FILE = PurePosixPath("/workspace/notes")

SERVICE = """
import asyncio
from sandlot import settings
from sandlot.contracts.command import Command
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.local.service import told
from sandlot.local.start import open_service

async def main():
    service = await open_service(settings.load(), workspaces="disk")
    await service.ensure("kept", SandboxSpec(ttl=Seconds(600), env={"TOKEN": "kept"}))
    await service.ensure("late", SandboxSpec(ttl=Seconds(1)))
    await service.ensure("bare", SandboxSpec(ttl=Seconds(600)))
    box = await service.reach("kept")
    print(told(box, [event async for event in box.run(Command.shell("echo $TOKEN > notes; sync"))]).exit_code)
    print("ready", flush=True)
    async for _ in box.run(Command.shell("sleep 4242", timeout=None)):
        pass

asyncio.run(main())
"""


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    if (cause := obstacle()) is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")
    with data_directory() as place:
        monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(place))
        yield place


@contextmanager
def killed_service() -> Iterator[subprocess.Popen[bytes]]:
    """A service in a process of its own, with three sandboxes and a running command."""
    home = str(Path(__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": home}
    ) as process:
        assert process.stdout is not None
        try:
            assert [process.stdout.readline() for _ in range(2)] == [b"0\n", b"ready\n"]
            yield process
        finally:
            process.kill()


async def opened(workspaces: WorkspacePolicy = "disk") -> LocalService:
    return await open_service(settings.load(), workspaces=workspaces)


async def result(box: Box, line: str) -> Result:
    async with ended(box.run(Command.shell(line))) as events:
        return told(box, [event async for event in events])


async def shell(service: LocalService, name: str, line: str) -> str:
    return (await result(await service.reach(name), line)).text


def sleepers() -> list[str]:
    """The processes of the command that ran when the service was killed."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"4242" in path.read_bytes().split(b"\0"):
                found.append(str(path))
        except OSError:
            continue
    return found


def test_a_killed_service_loses_no_workspace_and_leaves_no_process(data: Path) -> None:
    async def refused(pid: int) -> None:
        with pytest.raises(Conflict, match=f"running server with pid {pid}:"):
            await opened()

    async def taken_over() -> float:
        began = time.monotonic()
        service = await opened()
        seconds = time.monotonic() - began
        try:
            kept = await service.status("kept")
            assert kept.ending is not None
            assert (kept.state, kept.ending.reason) == (State.STOPPED, EndReason.HOST_RESTART)
            assert await shell(service, "kept", "cat notes; echo $TOKEN") == "kept\nkept\n"
            for name in ("kept", "bare"):
                await service.delete(name)
            with pytest.raises(NotFound):
                await service.reach("kept")
            await until(lambda: [status.id for status in service._sandboxes.list(OWNER)] == [])
            late = await service.status("late")
            assert late.ending is not None
            assert (late.state, late.ending.reason) == (State.ENDED, EndReason.EXPIRED)
        finally:
            await service.close()
        return seconds

    with killed_service() as process:
        asyncio.run(refused(process.pid))
        process.kill()
        process.wait()
        assert asyncio.run(taken_over()) < 1.0
    assert sleepers() == []
    assert os.listdir(data / "workspaces") == []


def test_a_service_that_closes_keeps_files_and_lets_the_next_one_start(data: Path) -> None:
    async def first() -> None:
        service = await opened()
        status = await service.ensure("kept", SPEC)
        assert status.is_durable
        await shell(service, "kept", "echo one > notes")
        await service.close()

    async def second() -> None:
        service = await opened()
        status = await service.ensure("kept", SandboxSpec())
        assert status.ending is not None
        assert (status.state, status.ending.reason) == (State.STOPPED, EndReason.SHUTDOWN)
        assert await shell(service, "kept", "cat notes") == "one\n"
        await service.delete("kept")
        await service.close()

    asyncio.run(first())
    asyncio.run(second())
    assert os.listdir(data / "workspaces") == []


def test_a_box_killed_from_outside_is_noticed_at_once_and_its_files_stay(data: Path) -> None:
    async def scene() -> None:
        service = await opened()
        await service.ensure("one", replace(SPEC, engine="bubblewrap"))
        box = await service.reach("one")
        assert (await result(box, "echo kept > notes; sync")).ok
        for pid in _launchers():
            os.kill(pid, 9)
        began = time.monotonic()
        async with asyncio.timeout(5):
            ending = await box.ended()
            await until(lambda: service._sandboxes.status(OWNER, "one").state is not State.RUNNING)
        assert time.monotonic() - began < 0.5
        status = await service.status("one")
        assert (status.state, status.ending and status.ending.reason) == (State.STOPPED, ending.reason)
        assert ending.reason in (EndReason.BOX_DIED, EndReason.KILLED)
        assert await shell(service, "one", "cat notes") == "kept\n"
        await service.close()

    asyncio.run(scene())
    assert data.is_dir()


def _launchers() -> list[int]:
    """Every bubblewrap below this process."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            after_name = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
            children.setdefault(int(after_name.split()[1]), []).append(int(path.parent.name))
    below = [os.getpid()]
    for pid in below:
        below += children.get(pid, [])
    return [pid for pid in below if b"bwrap" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]]


@pytest.mark.usefixtures("data")
def test_a_kept_sandbox_that_may_no_longer_be_started_is_refused() -> None:
    def forbid(spec: SandboxSpec) -> None:
        assert spec.env == SPEC.env
        raise Forbidden("not any more")

    async def play() -> None:
        service = await opened()
        await service.ensure("kept", SPEC)
        await service.close()
        stricter = await open_service(settings.load(), forbid, workspaces="disk")
        try:
            with pytest.raises(Forbidden, match="not any more"):
                await stricter.reach("kept")
            assert (await stricter.status("kept")).state is State.STOPPED
            await stricter.delete("kept")
        finally:
            await stricter.close()

    asyncio.run(play())
