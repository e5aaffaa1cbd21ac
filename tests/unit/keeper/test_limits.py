from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from sandlot.keeper.client import Keeper
from sandlot.keeper.uids import BLOCK_SIZE, FIRST_UID
from tests.unit.keeper.witness import IS_ROOT, SLEEP, groups_of, launch, pipe

pytestmark = [pytest.mark.linux, pytest.mark.root, pytest.mark.skipif(not IS_ROOT, reason="needs uid 0")]

LIMIT_FILES = ("memory.limit_in_bytes", "memory.max", "pids.max", "cpu.cfs_quota_us", "cpu.max")
HOG = "x = bytearray(1)\nwhile True: x += bytes(1 << 20)"


def limits_in(groups: list[str]) -> set[str]:
    """The limits of one box's groups, in each of which the box must be."""
    assert groups
    assert all(Path(group, "cgroup.procs").read_text().strip() for group in groups)
    files = [Path(group, name) for group in groups for name in LIMIT_FILES]
    return {file.read_text().strip() for file in files if file.exists()}


def test_each_box_has_a_uid_of_its_own_no_groups_and_no_capabilities(run_directory: Path, null: int) -> None:
    script = "grep -E '^(Uid|Gid|Groups|CapEff|CapPrm)' /proc/self/status"

    async def scenario() -> list[str]:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            told = []
            for _ in range(2):
                with pipe() as (readable, writable):
                    box = await keeper.spawn(launch("/bin/sh", "-c", script), (null, writable, writable))
                    await box.exit
                    told.append(os.read(readable, 4096).decode())
            return told

    seen = set()
    for told in asyncio.run(scenario()):
        fields = {line.split(":")[0]: line.split(":")[1].split() for line in told.splitlines()}
        uid = int(fields["Uid"][0])
        assert FIRST_UID <= uid < FIRST_UID + 4096 * BLOCK_SIZE
        assert set(fields["Uid"]) == set(fields["Gid"]) == {str(uid)}
        assert set(fields["Groups"]) <= {str(uid)}
        assert fields["CapEff"] == fields["CapPrm"] == ["0" * 16]
        seen.add(uid)
    assert len(seen) == 2


def test_a_memory_hog_is_killed_and_counted_and_its_neighbour_lives(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            if "memory" not in keeper.powers.controllers:
                pytest.skip(f"no memory control group: {keeper.powers.missing}")
            neighbour = await keeper.spawn(launch(*SLEEP, memory=1 << 25), (null, null, null))
            hog = launch("/usr/bin/python3", "-I", "-S", "-c", HOG, memory=1 << 25)
            told = await (await keeper.spawn(hog, (null, null, null))).exit
            assert told.wait_status == 9
            assert told.oom_kills is not None
            assert told.oom_kills >= 1
            assert told.memory_peak is not None
            assert (1 << 24) < told.memory_peak <= (1 << 25)
            assert not neighbour.exit.done()
            assert (await neighbour.consumption()).pids == 1
            await neighbour.kill()

    asyncio.run(scenario())


def test_limits_are_in_force_before_the_program_runs(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            if not keeper.powers.controllers >= {"memory", "cpu", "pids"}:
                pytest.skip(f"not every control group: {keeper.powers.missing}")
            wanted = replace(launch(*SLEEP, memory=1 << 25, pids=7), cpu=0.5)
            box = await keeper.spawn(wanted, (null, null, null))
            limits = limits_in(groups_of(keeper.stub_pid))
            assert {str(1 << 25), "7"} <= limits
            assert {"50000", "50000 100000"} & limits
            await box.kill()
            assert groups_of(keeper.stub_pid) == []

    asyncio.run(scenario())


def test_a_fork_bomb_meets_the_limit_and_dies_with_its_box(run_directory: Path, null: int) -> None:
    bomb = "import os\nwhile True:\n try: os.fork()\n except OSError: os.write(1, b'x')"

    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            if "pids" not in keeper.powers.controllers:
                pytest.skip(f"no pids control group: {keeper.powers.missing}")
            with pipe() as (readable, writable):
                wanted = launch("/usr/bin/python3", "-I", "-S", "-c", bomb, pids=20)
                box = await keeper.spawn(wanted, (null, writable, null))
                await asyncio.to_thread(os.read, readable, 1)
                used = await box.consumption()
                assert used.pids == 20
                await box.kill()
                assert (await box.exit).cause == "killed"
            assert groups_of(keeper.stub_pid) == []

    asyncio.run(scenario())
