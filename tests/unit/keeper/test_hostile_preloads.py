"""Packages that misbehave while a zygote loads them, and packages that turn on the keeper."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sandlot.contracts.errors import SandlotError, StartFailed
from sandlot.keeper.client import Keeper
from sandlot.keeper.orders import Fit, Limits
from sandlot.walls import mounts
from tests.unit.keeper import nests
from tests.unit.keeper.witness import IS_ROOT, family

pytestmark = [pytest.mark.linux, pytest.mark.faults, pytest.mark.timeout(60)]


_BAD = {
    "raises": ("raise ValueError('no luck today')", "ValueError: no luck today"),
    "raises no exception": ("raise KeyboardInterrupt('now')", "KeyboardInterrupt"),
    "exits": ("import sys; sys.exit('good night')", "SystemExit: good night"),
    "exits at once": ("import os; os._exit(0)", "5 zygotes in a row"),
    "dies": ("import os; os.kill(os.getpid(), 9)", "5 zygotes in a row"),
    "starts a thread": (
        "import threading, time; threading.Thread(target=time.sleep, args=(999,), daemon=True).start()",
        "2 threads",
    ),
    "hangs": ("import time; time.sleep(999)", "took too long"),
    "hangs and ignores signals": (
        "import signal\nfor n in (1, 2, 3, 10, 12, 13, 15): signal.signal(n, signal.SIG_IGN)\nwhile 1: pass",
        "took too long",
    ),
    "closes descriptor 0": ("import os; os.close(0)", "5 zygotes in a row|took too long"),
    "stops itself": ("import os; os.kill(os.getpid(), 19)", "took too long"),
    "forks and both go on": ("import os; os.fork()", "fork"),
    "leaves a child": ("import os, time\nif os.fork() == 0: time.sleep(999)", "fork"),
}


@pytest.mark.parametrize("deed", _BAD)
def test_a_package_that_cannot_be_loaded_is_told_with_its_reason(
    run_directory: Path, folder: Path, deed: str
) -> None:
    source, why = _BAD[deed]

    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            order = nests.preloading(keeper.powers, folder, source, loading=3.0)
            async with asyncio.timeout(15):
                with pytest.raises(StartFailed, match=why):
                    await keeper.raise_zygote(order)
            await _alone(keeper)

    asyncio.run(scenario())


_HARMLESS = {
    "prints": "print('hello ' * 10000); import sys; sys.stderr.write('there\\n')",
    "reads its input": "import sys; sys.stdin = None",
    "changes what it can": (
        "import os, sys, resource, signal\nos.umask(0o777)\nos.environ['A'] = 'b'\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "os.open('/usr', os.O_RDONLY)\n"
    ),
    "turns the collector on": "import gc; gc.enable(); gc.set_threshold(1)",
    "ends its child": "import os\nif os.fork() == 0: os._exit(0)\nos.wait()",
    "a thread that has ended": "import threading; t = threading.Thread(target=print); t.start(); t.join()",
}


@pytest.mark.parametrize("deed", _HARMLESS)
def test_a_package_that_only_has_bad_manners_can_be_loaded(
    run_directory: Path, folder: Path, deed: str
) -> None:
    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            order = nests.preloading(keeper.powers, folder, _HARMLESS[deed])
            zygote = await keeper.raise_zygote(order)
            box = await nests.park(keeper, zygote)
            await box.kill()

    asyncio.run(scenario())


_TREASON = """
import os, socket, time
def turn():
    {0}
if os.getpid() != 1:
    turn()
"""
_DEEDS = {
    "answer as the keeper's friend": "socket.socket(fileno=os.dup(0)).send(b'{\"park\": 1}')",
    "kill the warden": "os.kill(1, 9)",
    "stop the warden": "os.kill(1, 19)",
    "kill everybody": "os.kill(-1, 9)",
    "read the warden": "open('/proc/1/mem', 'rb').seek(0)",
}


@pytest.mark.parametrize("deed", _DEEDS)
def test_a_package_that_turns_on_its_makers_harms_only_its_own_environment(
    run_directory: Path, folder: Path, deed: str
) -> None:
    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            honest = await nests.park(keeper, await keeper.raise_zygote(nests.order(keeper.powers)))
            order = nests.preloading(keeper.powers, folder, _TREASON.format(_DEEDS[deed]), loading=3.0)
            async with asyncio.timeout(15):
                try:
                    zygote = await keeper.raise_zygote(order)
                    await (await nests.park(keeper, zygote)).kill()
                except SandlotError:
                    pass
            assert not honest.exit.done()
            await honest.kill()

    asyncio.run(scenario())


_SWAP = """
from sandlot.guest import parked
from sandlot.walls import mounts
furnish = parked._furnish
def swapped(nest):
    furnish(nest)
    mounts.bind("/shown", "/workspace", recursive=False)
parked._furnish = swapped
"""


@pytest.mark.skipif(not IS_ROOT, reason="as a user the keeper has no power over mounts of the host")
def test_a_package_cannot_have_the_keeper_remount_what_is_the_hosts(
    run_directory: Path, folder: Path
) -> None:
    """A box's /workspace is remounted when it is fitted; devices of the host are shown as this is."""
    shown = folder / "shown"
    shown.mkdir()
    mounts.tmpfs(str(shown), "size=1m,mode=755")
    try:
        before = os.statvfs(shown).f_blocks

        async def scenario() -> None:
            async with nests.keeper(run_directory) as keeper:
                order = nests.preloading(keeper.powers, folder, _SWAP)
                order = replace(order, tree=(*order.tree, ("device", "/shown", str(shown))))
                box = await nests.park(keeper, await keeper.raise_zygote(order))
                with pytest.raises(StartFailed, match="not the box's own"):
                    await keeper.fit(box, Fit(Limits(), disk=1 << 30, inodes=1000))
                await box.kill()

        asyncio.run(scenario())
        assert os.statvfs(shown).f_blocks == before
    finally:
        mounts.unmount(str(shown))


def test_boxes_live_on_when_their_zygote_is_killed_and_the_next_comes_soon(run_directory: Path) -> None:
    """E02, and the descriptors of the keeper are as before."""

    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            zygote = await keeper.raise_zygote(nests.order(keeper.powers))
            boxes = [await nests.park(keeper, zygote) for _ in range(3)]
            open_before = _descriptors_of(keeper)
            for _ in range(4):
                os.kill(_zygote_of(keeper), signal.SIGKILL)
                began = time.monotonic()
                boxes.append(await nests.park(keeper, zygote))
                assert time.monotonic() - began < 2  # a promise with a number belongs to the bench
            assert not any(box.exit.done() for box in boxes)
            for box in boxes[3:]:
                await box.kill()
            assert _descriptors_of(keeper) == open_before
            for box in boxes[:3]:
                await box.kill()

    asyncio.run(scenario())


def test_every_box_is_told_when_its_warden_is_killed(run_directory: Path) -> None:
    async def scenario() -> None:
        async with nests.keeper(run_directory) as keeper:
            zygote = await keeper.raise_zygote(nests.order(keeper.powers))
            boxes = [await nests.park(keeper, zygote) for _ in range(3)]
            os.kill(_warden_of(keeper), signal.SIGKILL)
            async with asyncio.timeout(2):
                causes = {(await box.exit).cause for box in boxes}
            assert causes == {"warden_died"}
            with pytest.raises(SandlotError):
                await nests.park(keeper, zygote)

    asyncio.run(scenario())


def _warden_of(keeper: Keeper) -> int:
    return family(keeper.stub_pid)[2]


def _zygote_of(keeper: Keeper) -> int:
    """The first process of a warden's that has the zygote's program."""
    children = Path(f"/proc/{_warden_of(keeper)}/task/{_warden_of(keeper)}/children").read_text().split()
    deepest = {int(pid): _depth(int(pid)) for pid in children}
    (found,) = [pid for pid, depth in deepest.items() if depth == min(deepest.values())]
    return found


def _depth(pid: int) -> int:
    """In how many pid namespaces it has a number (proc(5), NSpid)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return len(status.partition("NSpid:")[2].partition("\n")[0].split())


def _descriptors_of(keeper: Keeper) -> int:
    if not IS_ROOT:  # nobody but root may look into a keeper
        return 0
    return len(os.listdir(f"/proc/{family(keeper.stub_pid)[1]}/fd"))


async def _alone(keeper: Keeper) -> None:
    deadline = time.monotonic() + 2
    while len(family(keeper.stub_pid)) > 2:
        assert time.monotonic() < deadline, family(keeper.stub_pid)
        await asyncio.sleep(0.01)
