"""What two keepers, or one that ran out of descriptors, must not come to share or keep."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from pathlib import Path

import pytest

from sandlot.keeper import uids
from sandlot.keeper.client import Keeper
from sandlot.keeper.launch import Launch

pytestmark = pytest.mark.timeout(30)


def test_keepers_of_different_run_directories_do_not_begin_with_the_same_uids(tmp_path: Path) -> None:
    """systemd gives every service a RUNTIME_DIRECTORY of its own, and locks in one say nothing in another."""
    blocks = []
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        directory = os.open(tmp_path / name, os.O_RDONLY | os.O_DIRECTORY)
        blocks.append(uids.claim(directory, proc))
    assert blocks[0].first != blocks[1].first
    for block in blocks:
        block.release()
        os.close(block.directory)
    os.close(proc)


def _open() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/fd")]


def _filled(descriptor: int) -> list[int]:
    """Copies of *descriptor* until no more are allowed."""
    copies: list[int] = []
    with contextlib.suppress(OSError):
        while True:
            copies.append(os.dup(descriptor))
    return copies


def test_a_launch_without_room_for_its_descriptors_keeps_none(run_directory: Path, null: int) -> None:
    async def scene() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            before = _open()
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(before) + 4, limits[1]))
            fillers = _filled(null)
            try:
                os.close(fillers.pop())  # room for one of three
                with pytest.raises(OSError, match="Too many open files"):
                    await keeper.spawn(Launch(("/bin/true",)), (null, null, null))
                os.close(os.dup(null))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                for filler in fillers:
                    os.close(filler)
            assert _open() == before

    asyncio.run(scene())
