from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sandlot.contracts.errors import EngineUnavailable
from sandlot.keeper.client import Keeper
from sandlot.keeper.launch import WorkspaceMount
from tests.unit.keeper.witness import IS_ROOT, SLEEP, family, groups_of, launch

pytestmark = [pytest.mark.linux, pytest.mark.root, pytest.mark.skipif(not IS_ROOT, reason="needs uid 0")]


def mounts_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/mountinfo").read_text().splitlines()


def test_a_group_that_cannot_be_removed_is_told_and_removed_later(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            if not keeper.powers.controllers:
                pytest.skip(f"no control groups: {keeper.powers.missing}")
            box = await keeper.spawn(launch(*SLEEP), (null, null, null))
            blocker = groups_of(keeper.stub_pid)[0] + "/blocker"
            os.mkdir(blocker)
            with pytest.raises(EngineUnavailable, match="keeps trying"):
                await box.kill()
            assert (await box.exit).cause == "killed"
            os.rmdir(blocker)
            while groups_of(keeper.stub_pid):
                await keeper.sweep()  # a round trip: the keeper looks again when it is woken
            await box.kill()

    asyncio.run(scenario())


def test_a_workspace_somebody_holds_open_is_detached(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            pid = family(keeper.stub_pid)[1]
            before = mounts_of(pid)
            names = os.listdir(f"/proc/{pid}/root{run_directory}")
            box = await keeper.spawn(launch(*SLEEP, workspace=WorkspaceMount(4096, 9)), (null, null, null))
            held = os.open(f"/proc/{pid}/root{run_directory}/{box.number}", os.O_RDONLY | os.O_DIRECTORY)
            assert len(mounts_of(pid)) == len(before) + 1
            await box.kill()
            os.close(held)
            assert mounts_of(pid) == before
            assert os.listdir(f"/proc/{pid}/root{run_directory}") == names

    asyncio.run(scenario())


def test_nothing_piles_up_in_the_keeper(run_directory: Path, null: int) -> None:
    workspace = WorkspaceMount(4096, 9)

    async def round_of(keeper: Keeper) -> tuple[int, int, int]:
        wanted = [
            launch("/bin/true", workspace=workspace),
            launch(*SLEEP, workspace=workspace),
            launch("/none"),
        ]
        started = await asyncio.gather(
            *(keeper.spawn(one, (null, null, null)) for one in wanted), return_exceptions=True
        )
        for box in started:
            if not isinstance(box, BaseException):
                await box.kill()
        pid = family(keeper.stub_pid)[1]
        return len(os.listdir(f"/proc/{pid}/fd")), len(mounts_of(pid)), len(family(keeper.stub_pid))

    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            first = await round_of(keeper)
            later = [await round_of(keeper) for _ in range(20)]
            assert later[-1] == first

    asyncio.run(scenario())
