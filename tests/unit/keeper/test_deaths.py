from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandlot.contracts.errors import BoxDied
from sandlot.keeper.client import Keeper
from tests.unit.keeper import witness
from tests.unit.keeper.witness import SLEEP, are_gone, family, groups_of, launch

pytestmark = pytest.mark.linux

SERVICE = """
import asyncio, os, sys
from pathlib import Path
from sandlot.keeper.client import Keeper
from tests.unit.keeper.witness import SLEEP, launch

async def serve():
    keeper = await Keeper.start(run_directory=Path(sys.argv[1]))
    null = os.open(os.devnull, os.O_RDWR)
    for _ in range(3):
        await keeper.spawn(launch(*SLEEP), (null, null, null))
    print(keeper.stub_pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""


@pytest.mark.parametrize("victim", ["keeper", "stub"])
def test_when_the_keeper_or_its_stub_is_killed_every_box_is_gone_and_told(
    run_directory: Path, null: int, victim: str
) -> None:
    async def scenario() -> int:
        keeper = await Keeper.start(run_directory=run_directory)
        boxes = [await keeper.spawn(launch(*SLEEP), (null, null, null)) for _ in range(3)]
        members = family(keeper.stub_pid)
        watched = [os.pidfd_open(pid) for pid in members]
        os.kill(members[1] if victim == "keeper" else members[0], signal.SIGKILL)
        async with asyncio.timeout(2):
            ends = [await box.exit for box in boxes]
        assert {(told.cause, told.wait_status) for told in ends} == {("keeper_died", signal.SIGKILL)}
        assert are_gone(watched[2:], 0)
        for box in boxes:
            await box.kill()
        with pytest.raises(BoxDied) as died:
            await keeper.spawn(launch(*SLEEP), (null, null, null))
        assert died.value.who == "keeper"
        await keeper.close()
        assert are_gone(watched[:2], 0)
        return keeper.stub_pid

    stub = asyncio.run(scenario())
    if victim == "stub":  # nobody was left to clear up: the next keeper does
        asyncio.run(_sweep(run_directory))
    assert groups_of(stub) == []


def test_requests_under_way_when_the_keeper_dies_fail_and_do_not_hang(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            spawning = [
                asyncio.ensure_future(keeper.spawn(launch(*SLEEP), (null, null, null))) for _ in range(8)
            ]
            await asyncio.sleep(0)
            os.kill(family(keeper.stub_pid)[1], signal.SIGKILL)
            async with asyncio.timeout(2):
                done, _ = await asyncio.wait(spawning)
            for task in done:
                if task.exception() is None:
                    assert (await task.result().exit).cause == "keeper_died"
                else:
                    assert isinstance(task.exception(), BoxDied)

    asyncio.run(scenario())


def test_when_the_service_is_killed_nothing_of_it_lives_on(run_directory: Path) -> None:
    command = [sys.executable, "-c", SERVICE, str(run_directory)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as service:
        assert service.stdout is not None
        stub = int(service.stdout.readline())
        watched = [os.pidfd_open(pid) for pid in family(stub)]
        assert len(watched) >= 5
        service.kill()
    assert are_gone(watched, 2)
    assert groups_of(stub) == []
    assert witness.traces(run_directory).run_directory == ()


def test_the_signals_of_a_service_manager_end_neither_keeper_nor_box(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            box = await keeper.spawn(launch("/bin/sh", "-c", "kill -TERM $$"), (null, null, null))
            for pid in family(keeper.stub_pid)[:2]:
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    os.kill(pid, number)
            assert (await box.exit).wait_status == signal.SIGTERM  # the box itself can be told to end
            await (await keeper.spawn(launch(*SLEEP), (null, null, null))).kill()

    asyncio.run(scenario())


def test_sweep_leaves_the_living_alone(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        first = await Keeper.start(run_directory=run_directory)
        box = await first.spawn(launch(*SLEEP), (null, null, null))
        await _sweep(run_directory)
        assert not box.exit.done()
        await box.kill()
        await first.close()

    asyncio.run(scenario())


async def _sweep(run_directory: Path) -> None:
    async with await Keeper.start(run_directory=run_directory) as keeper:
        await keeper.sweep()
