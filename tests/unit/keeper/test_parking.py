from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import select
import subprocess
from pathlib import Path

import pytest

from sandlot.contracts.errors import NotFound, StartFailed
from sandlot.keeper import parking
from sandlot.keeper.client import Keeper, KeptBox
from sandlot.keeper.orders import Fit, Limits
from tests.unit.keeper import nests
from tests.unit.keeper.witness import IS_ROOT, SLEEP, are_gone, groups_of, members, status_of

pytestmark = pytest.mark.linux
_BEYOND_SELECT = 1024  # FD_SETSIZE, select(2)


def test_a_parked_box_is_an_agent_and_its_spare_and_goes_without_a_trace(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        before = members(keeper.stub_pid)
        box, pids = await nests.parked(keeper, zygote)
        assert len(pids) == 2
        watched = [os.pidfd_open(pid) for pid in pids]
        await box.kill()
        assert are_gone(watched, 0)
        assert (await box.exit).cause == "killed"
        assert members(keeper.stub_pid) == before
        assert groups_of(keeper.stub_pid) == []
        await box.kill()

    nests.run(run_directory, scene)


def test_boxes_are_made_in_any_number_at_once_and_no_two_share_a_user(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        before = members(keeper.stub_pid)
        boxes = await asyncio.gather(*(nests.park(keeper, zygote) for _ in range(12)))
        pids = members(keeper.stub_pid) - before
        assert len(pids) == 24
        users = [status_of(pid, "Uid") for pid in pids]
        if IS_ROOT:
            assert all(users.count(user) == 2 for user in users)
            assert "0" not in {number for user in users for number in user.split()}
        else:
            assert {number for user in users for number in user.split()} == {str(os.getuid())}
        assert len({os.readlink(f"/proc/{pid}/ns/net") for pid in pids if IS_ROOT}) == (12 if IS_ROOT else 0)
        await asyncio.gather(*(box.kill() for box in boxes))
        assert members(keeper.stub_pid) == before

    nests.run(run_directory, scene)


def test_a_box_has_no_power_and_every_process_of_its_own_is_counted(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        box, pids = await nests.parked(keeper, zygote)
        for pid in pids:
            assert status_of(pid, "CapEff") == status_of(pid, "CapPrm") == "0" * 16
            assert status_of(pid, "NoNewPrivs") == "1"
        assert sorted(status_of(pid, "NSpid").split()[-1] for pid in pids) == ["1", "2"]
        used = await box.consumption()
        if keeper.powers.controllers >= {"memory", "cpu", "pids"}:
            counts = [Path(group, "pids.current") for group in groups_of(keeper.stub_pid)]
            assert {count.read_text() for count in counts if count.exists()} == {"2\n"}
            assert (used.memory_peak or 0) > 0
            assert (used.cpu_seconds or 0.0) > 0
        await box.kill()

    nests.run(run_directory, scene)


def test_one_box_is_killed_and_its_siblings_live(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        (first, _), (second, pids) = await nests.parked(keeper, zygote), await nests.parked(keeper, zygote)
        watched = [os.pidfd_open(pid) for pid in pids]
        await first.kill()
        assert select.select(watched, [], [], 0)[0] == []
        assert not second.exit.done()
        await second.kill()
        assert are_gone(watched, 2.0)

    nests.run(run_directory, scene)


def test_a_box_whose_channel_closes_ends_by_itself(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        reading, writing = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        box = await keeper.park(zygote, Limits(), (reading, null, null))
        for descriptor in (reading, null):
            os.close(descriptor)
        assert not box.exit.done()
        os.close(writing)
        assert (await box.exit).cause == "exited"

    nests.run(run_directory, scene)


def test_closing_the_keeper_ends_zygotes_and_boxes(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        boxes = [await nests.park(keeper, zygote) for _ in range(3)]
        watched = [os.pidfd_open(pid) for pid in members(keeper.stub_pid)]
        await keeper.close()
        assert {(await box.exit).cause for box in boxes} == {"killed"}
        assert are_gone(watched, 2.0)
        assert groups_of(keeper.stub_pid) == []

    nests.run(run_directory, scene)


def test_a_box_that_nobody_waits_for_any_more_is_not_left(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        before = members(keeper.stub_pid)
        waiting = [asyncio.ensure_future(nests.park(keeper, zygote)) for _ in range(4)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        # Asked after them and made in turn, so they are all made, or given up, when this one stands.
        box = await nests.park(keeper, zygote)
        await box.kill()
        # Their end is told to nobody: the keeper is asked until it is there.
        while members(keeper.stub_pid) != before:
            await keeper.sweep()

    nests.run(run_directory, scene)


def test_a_zygote_that_is_not_there_makes_nothing(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        with pytest.raises(NotFound, match=f"no zygote {zygote + 1}"):
            await nests.park(keeper, zygote + 1)
        box = await nests.park(keeper, zygote)
        await box.kill()
        with pytest.raises(NotFound, match="no parked box"):
            await keeper.fit(box, Fit(Limits()))

    nests.run(run_directory, scene)


def test_two_zygotes_have_users_of_their_own(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        other = await keeper.raise_zygote(nests.order(keeper.powers))
        assert other != zygote
        (one, ones), (two, twos) = await nests.parked(keeper, zygote), await nests.parked(keeper, other)
        if IS_ROOT:
            assert not {status_of(pid, "Uid") for pid in ones} & {status_of(pid, "Uid") for pid in twos}
        assert len({os.readlink(f"/proc/{pid}/ns/user") for pid in ones | twos if IS_ROOT}) != 1
        await asyncio.gather(one.kill(), two.kill())

    nests.run(run_directory, scene)


@pytest.mark.root
@pytest.mark.skipif(
    not IS_ROOT, reason="the mounts of an ordinary user's box cannot be looked at from outside"
)
def test_a_fit_changes_what_a_box_may_use(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        box, pids = await nests.parked(keeper, zygote)
        root = Path(f"/proc/{min(pids)}/root")
        await keeper.fit(box, Fit(Limits(), disk=3 << 20, inodes=77, scratch=5 << 20))
        workspace, scratch = os.statvfs(root / "workspace"), os.statvfs(root / "tmp")
        assert (workspace.f_blocks * workspace.f_frsize, workspace.f_files) == (3 << 20, 77)
        assert scratch.f_blocks * scratch.f_frsize == 5 << 20
        assert os.statvfs(root / "dev" / "shm").f_blocks == scratch.f_blocks
        await box.kill()

    nests.run(run_directory, scene)


def test_a_fit_changes_the_limits_of_its_control_group(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        if "memory" not in keeper.powers.controllers:
            pytest.skip(f"no control groups to write: {keeper.powers.missing}")
        box = await nests.park(keeper, zygote, Limits(memory=512 << 20, pids=100))
        await keeper.fit(box, Fit(Limits(memory=128 << 20, pids=20)))
        written = {
            (Path(group) / name).read_text().strip()
            for group in groups_of(keeper.stub_pid)
            for name in ("memory.limit_in_bytes", "memory.max", "pids.max")
            if (Path(group) / name).exists()
        }
        assert {str(128 << 20), "20"} <= written
        await box.kill()

    nests.run(run_directory, scene)


async def fit_until_refused(keeper: Keeper, box: KeptBox) -> None:
    """Each answer before the refusal is one of a keeper that has not noticed yet."""
    while True:
        await keeper.fit(box, Fit(Limits()))


def test_a_box_that_died_cannot_be_fitted(run_directory: Path) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        box, pids = await nests.parked(keeper, zygote)
        os.kill(min(pids), 9)
        with pytest.raises((StartFailed, NotFound)):
            await fit_until_refused(keeper, box)
        assert (await box.exit).cause == "exited"

    nests.run(run_directory, scene)


def test_the_end_of_a_box_is_seen_by_a_descriptor_of_any_number() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft <= _BEYOND_SELECT:
        pytest.skip(f"at most {soft} descriptors are allowed here")
    with subprocess.Popen(SLEEP) as process:
        pidfd = os.pidfd_open(process.pid)
        high = fcntl.fcntl(pidfd, fcntl.F_DUPFD_CLOEXEC, _BEYOND_SELECT)
        try:
            assert not parking._is_dead(high)
            process.kill()
            process.wait()
            assert parking._is_dead(high)
        finally:
            os.close(high)
            os.close(pidfd)
