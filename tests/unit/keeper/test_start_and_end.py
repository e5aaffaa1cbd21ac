from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sandlot.contracts.errors import EngineUnavailable
from sandlot.keeper import start as starting
from sandlot.keeper.client import Keeper
from tests.unit.keeper.witness import IS_ROOT, SLEEP, are_gone, family, groups_of, launch

pytestmark = pytest.mark.linux


def test_a_keeper_starts_serves_and_ends_without_a_trace(run_directory: Path) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            members = [os.pidfd_open(pid) for pid in family(keeper.stub_pid)]
            assert keeper.powers.uid_switch is IS_ROOT
            assert await keeper.sweep() == 0
        assert are_gone(members, 0)
        await keeper.close()

    asyncio.run(scenario())


def test_where_namespaces_are_refused_the_keeper_is_plain_and_says_so(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        keeper = await Keeper._attempt(run_directory, run_directory, plain="no namespaces: for the test")
        async with keeper:
            assert not keeper.powers.pid_namespace
            assert "no namespaces: for the test" in keeper.powers.missing
            box = await keeper.spawn(
                launch("/bin/sh", "-c", "setsid sleep 1000 & sleep 1000"), (null, null, null)
            )
            members = [os.pidfd_open(pid) for pid in family(keeper.stub_pid)[1:]]
            await box.kill()
            assert are_gone(members, 0)

    asyncio.run(scenario())


def test_a_keeper_of_the_wrong_power_or_place_is_refused(run_directory: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(EngineUnavailable, match="uid"):
            await Keeper.start(privileged=not IS_ROOT, run_directory=run_directory)
        everyones = tmp_path / "everyones"
        everyones.mkdir()
        everyones.chmod(0o777)
        with pytest.raises(EngineUnavailable, match="run directory") as refused:
            await Keeper.start(run_directory=everyones)
        assert str(everyones) in refused.value.message

    asyncio.run(scenario())


def test_a_keeper_that_ends_before_it_is_ready_is_an_error(run_directory: Path) -> None:
    async def scenario() -> None:
        keeper = Keeper(starting.start(run_directory, run_directory, ""), run_directory)
        keeper._started.kill()
        with pytest.raises(EngineUnavailable, match="before it was ready"):
            await keeper._ready
        await keeper.close()

    asyncio.run(scenario())


def test_closing_ends_every_box_and_tells_it(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        keeper = await Keeper.start(run_directory=run_directory)
        boxes = [await keeper.spawn(launch(*SLEEP), (null, null, null)) for _ in range(3)]
        members = [os.pidfd_open(pid) for pid in family(keeper.stub_pid)]
        await keeper.close()
        assert {(await box.exit).cause for box in boxes} == {"killed"}
        assert are_gone(members, 0)
        assert groups_of(keeper.stub_pid) == []

    asyncio.run(scenario())
