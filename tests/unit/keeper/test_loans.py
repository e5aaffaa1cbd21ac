"""Kept workspaces of parked boxes: mounted in the box alone, whole again once it has ended."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sandlot.contracts.errors import StartFailed
from sandlot.keeper.client import Keeper, KeptBox
from sandlot.keeper.launch import KeptMount
from sandlot.keeper.orders import Fit, Limits
from tests.unit.keeper import nests
from tests.unit.keeper.kept_place import INODES, SIZE, Place, both, drive
from tests.unit.keeper.witness import IS_ROOT, family, loops_below

pytestmark = [
    pytest.mark.linux,
    pytest.mark.root,
    pytest.mark.skipif(not IS_ROOT, reason="a box of an ordinary user cannot be looked into"),
]

Scene = Callable[[Keeper, int], Awaitable[None]]


def play(place: Place, scene: Scene) -> None:
    """A scene of a keeper with one honest zygote."""

    async def scenario() -> None:
        async with await place.keeper() as keeper:
            if not keeper.powers.pid_namespace:
                pytest.skip(f"zygotes need namespaces: {keeper.powers.missing}")
            await scene(keeper, await keeper.raise_zygote(nests.order(keeper.powers)))

    drive(scenario())


async def parked(keeper: Keeper, zygote: int) -> tuple[KeptBox, Path]:
    """A box and its workspace, seen through one of its processes."""
    before = family(keeper.stub_pid)
    box = await nests.park(keeper, zygote)
    return box, Path(f"/proc/{min(set(family(keeper.stub_pid)) - set(before))}/root/workspace")


def mounts_of(keeper: Keeper) -> str:
    return Path(f"/proc/{family(keeper.stub_pid)[1]}/mountinfo").read_text()


def in_box(workspace: Path, script: str, given: bytes = b"") -> bytes:
    """What *script* prints, run in there by the owner: nobody else's name means anything in that mount."""
    owner = workspace.stat()
    return subprocess.run(
        ["/bin/sh", "-c", script], input=given, cwd=workspace, user=owner.st_uid, group=owner.st_gid,
        extra_groups=[], stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip


@both
def test_the_box_has_the_only_mount_and_all_is_written_when_its_end_is_told(place: Place) -> None:
    kept = Fit(Limits(), kept=KeptMount("kept", place.mount.kind))
    content = os.urandom(4 << 20)

    async def scene(keeper: Keeper, zygote: int) -> None:
        before = mounts_of(keeper)
        box, workspace = await parked(keeper, zygote)
        await keeper.fit(box, kept)
        assert mounts_of(keeper) == before
        in_box(workspace, "cat > f", content)
        await box.kill()
        assert loops_below(place.path) == []
        box, workspace = await parked(keeper, zygote)
        await keeper.fit(box, kept)
        assert in_box(workspace, "cat f") == content
        await box.kill()

    play(place, scene)


def test_the_end_of_a_box_makes_no_process(place: Place) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        image = place.store.blank(SIZE, INODES)
        box, _ = await parked(keeper, zygote)
        await keeper.furnish(box, image)
        os.close(image)
        before = faults_of_children(keeper)
        assert before > 0
        await box.kill()
        assert faults_of_children(keeper) == before

    play(place, scene)


def faults_of_children(keeper: Keeper) -> int:
    """The page faults of all children that the keeper has reaped: there is no process without any."""
    cminflt = 11  # proc_pid_stat(5); the state is field 3
    fields = Path(f"/proc/{family(keeper.stub_pid)[1]}/stat").read_text().rpartition(")")[2].split()
    return int(fields[cminflt - 3])


def test_what_is_no_image_is_an_error_of_its_box_alone(place: Place) -> None:
    async def scene(keeper: Keeper, zygote: int) -> None:
        rubbish = os.open(place.path, os.O_TMPFILE | os.O_RDWR)
        os.ftruncate(rubbish, SIZE)
        box, _ = await parked(keeper, zygote)
        before = mounts_of(keeper)
        with pytest.raises(StartFailed, match="could not be mounted"):
            await keeper.furnish(box, rubbish)
        os.close(rubbish)
        await box.kill()
        assert mounts_of(keeper) == before
        assert loops_below(place.path) == []

    play(place, scene)
