"""What boxes, crashes and full disks can do to kept workspaces, and what they cannot."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sandlot.contracts import errors
from sandlot.keeper.launch import KeptMount
from tests.unit.keeper.kept_place import INODES, SIZE, Place, begun, both, drive, said
from tests.unit.keeper.witness import IS_ROOT, loops_below

pytestmark = pytest.mark.linux

DEBUGFS = shutil.which("debugfs", path="/usr/sbin:/sbin")


def test_a_store_that_others_can_write_is_not_used(place: Place) -> None:
    async def scene() -> None:
        async with await place.keeper() as keeper:
            place.path.chmod(0o777)
            with pytest.raises(errors.StartFailed, match="writable by others"):
                await said(keeper, "true", place.mount)
            place.path.chmod(0o700)

    drive(scene())


def test_an_image_is_full_when_it_is_full_and_works_again(place: Place) -> None:
    script = "head -c 64M /dev/zero > big || echo full; rm big; echo small > f && cat f"

    async def scene() -> None:
        async with await place.keeper() as keeper:
            lines = await said(keeper, script, place.mount)
            assert os.strerror(errno.ENOSPC) in lines[0]
            assert lines[1:] == ["full", "small"]
            assert (place.path / "kept.img").stat().st_blocks * 512 <= SIZE
            lines = await said(keeper, "i=0; while true > f$i; do i=$((i+1)); done; echo $i", place.mount)
            assert "cannot create" in lines[0]
            assert INODES - 64 < int(lines[1]) <= INODES

    drive(scene())


@both
def test_neither_setuid_nor_devices_mean_anything_in_it(place: Place) -> None:
    if not IS_ROOT:
        pytest.skip("only root could put such files in")
    plant(place)

    async def scene() -> None:
        script = (
            "id -u; ls -n id; ./id -u; cat null || echo no device; grep -c nosuid,nodev /proc/self/mountinfo"
        )
        async with await place.keeper() as keeper:
            uid, listed, as_whom, refused, answer, flags = await said(keeper, script, place.mount)
        assert listed.startswith("-rws")
        assert as_whom == uid
        assert (os.strerror(errno.EACCES) in refused, answer) == (True, "no device")
        assert int(flags) >= 1

    drive(scene())


def plant(place: Place) -> None:
    """Put a set-uid program of root's and a device into a workspace, as no box can."""
    if place.mount.kind == "directory":

        async def once() -> None:  # from then on its top is as boxes leave it
            async with await place.keeper() as keeper:
                await said(keeper, "true", place.mount)

        drive(once())
        shutil.copy("/usr/bin/id", place.path / "kept" / "id")
        (place.path / "kept" / "id").chmod(0o4755)
        os.mknod(place.path / "kept" / "null", 0o020666, os.makedev(1, 3))
        (place.path / "kept" / "null").chmod(0o666)
        return
    if DEBUGFS is None:
        pytest.skip("debugfs is not installed")
    orders = "write /usr/bin/id id\nset_inode_field id mode 0104755\nmknod null c 1 3\n"
    orders += "set_inode_field null mode 020666\n"
    subprocess.run(
        [DEBUGFS, "-w", "-f", "-", str(place.path / "kept.img")], input=orders.encode(), check=True,
        capture_output=True,
    )  # fmt: skip


def test_an_image_whose_host_crashed_is_repaired_before_it_is_used(place: Place) -> None:
    crashed = KeptMount("crashed", "image")

    async def scene() -> None:
        async with await place.keeper() as keeper:
            box = await begun(keeper, "mkdir d; echo safe > d/f; sync; echo > f", place.mount)
            image = place.path / "crashed.img"
            shutil.copyfile(place.path / "kept.img", image)  # what would be on the disk, had the power failed
            assert not is_clean(image)
            assert await said(keeper, "cat d/f; echo more >> d/f", crashed) == ["safe"]
            assert is_clean(image)
            assert await said(keeper, "cat d/f", crashed) == ["safe", "more"]
            await box.kill()

    drive(scene())


def is_clean(image: Path) -> bool:
    """Whether an image says that it was unmounted in order."""
    with image.open("rb") as file:
        file.seek(1024 + 0x3A)
        return file.read(2) == b"\1\0"


def test_a_damaged_image_is_an_error_of_its_box_alone(place: Place) -> None:
    async def scene() -> None:
        async with await place.keeper() as keeper:
            (place.path / "broken.img").write_bytes(bytes(2**20))
            with pytest.raises(errors.StartFailed):
                await said(keeper, "true", KeptMount("broken", "image"))
            assert loops_below(place.path) == []
            assert await said(keeper, "echo well", place.mount) == ["well"]

    drive(scene())
