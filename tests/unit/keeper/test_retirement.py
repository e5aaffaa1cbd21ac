"""Zygotes that retire, and zygotes that do without the first process in C."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sandlot.keeper.client import Keeper
from tests.unit.keeper import nests
from tests.unit.keeper.witness import are_gone, members, status_of

pytestmark = pytest.mark.linux


def names_of(pid: int) -> list[int]:
    """The process's pids, from the host's namespace inwards: the keeper's, the warden's, a box's own."""
    return [int(number) for number in status_of(pid, "NSpid").split()]


def first_processes(keeper: Keeper) -> int:
    """How many boxes there are."""
    named = [names_of(pid) for pid in members(keeper.stub_pid)]
    return sum(names[3:] == [1] for names in named)


def test_the_last_box_of_a_zygote_that_retires_is_made_once(run_directory: Path) -> None:
    """The next box is asked for before the keeper has heard that the last one is there."""

    async def scenario() -> None:
        async with asyncio.timeout(30), await Keeper.start(run_directory=run_directory) as keeper:
            if not keeper.powers.pid_namespace:
                pytest.skip(f"zygotes need namespaces: {keeper.powers.missing}")
            number = await keeper.raise_zygote(nests.order(keeper.powers, most=2))
            named = {tuple(names_of(pid)): pid for pid in members(keeper.stub_pid)}
            (warden,) = (pid for names, pid in named.items() if names[2:] == (1,))
            (zygote,) = (pid for names, pid in named.items() if len(names) == 3 and names[2] > 1)
            first = await nests.park(keeper, number)
            os.kill(zygote, signal.SIGSTOP)
            second = asyncio.create_task(nests.park(keeper, number))
            await asyncio.sleep(0)
            await first.consumption()  # answered after it: the zygote has been asked
            keepers_pid, ended = int(status_of(warden, "PPid")), os.pidfd_open(zygote)
            os.kill(keepers_pid, signal.SIGSTOP)
            third = asyncio.create_task(nests.park(keeper, number))
            await asyncio.sleep(0)
            os.kill(zygote, signal.SIGCONT)
            assert are_gone([ended], 10.0)
            os.kill(keepers_pid, signal.SIGCONT)
            boxes = (first, *await asyncio.gather(second, third))
            assert first_processes(keeper) == 3
            await asyncio.gather(*(box.kill() for box in boxes))
            assert first_processes(keeper) == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("is_loadable", [False, True])
def test_a_library_that_cannot_be_used_is_done_without(
    is_loadable: bool, run_directory: Path, folder: Path
) -> None:
    library = folder / "init.so"
    mapped = (line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines())
    another = next(path for path in mapped if ".so" in path)  # it has nothing of what is looked for
    library.write_bytes(Path(another).read_bytes() if is_loadable else b"junk")

    async def scene(keeper: Keeper, _zygote: int) -> None:
        zygote = await keeper.raise_zygote(nests.order(keeper.powers, library=library))
        box, pids = await nests.parked(keeper, zygote)
        assert len(pids) == 2
        await box.kill()

    nests.run(run_directory, scene)
