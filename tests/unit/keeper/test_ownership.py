"""Handing a tree over that a hostile box wrote, where its mount cannot be shown as another's."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sandlot.contracts.spec import WorkspaceKind
from sandlot.keeper import ownership
from sandlot.keeper.storage import WorkspaceStore
from tests.unit.keeper.witness import IS_ROOT

pytestmark = [pytest.mark.linux, pytest.mark.root, pytest.mark.skipif(not IS_ROOT, reason="needs uid 0")]

SOMEBODY = 54_321
DEEP = 10_000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW

ON_RAMFS = f"""
import os, sys
from sandlot.keeper import ownership
from sandlot.walls import mounts, namespaces
namespaces.leave(["mnt"])
mounts.make_private()
mounts.mount("ramfs", sys.argv[1], "ramfs", mounts.MS_NOSUID | mounts.MS_NODEV)
open(sys.argv[1] + "/f", "w").close()
ownership.hand_over(sys.argv[1], {SOMEBODY}, {SOMEBODY})
assert {{os.stat(sys.argv[1] + name).st_uid for name in ("", "/f")}} == {{{SOMEBODY}}}
assert "idmapped" not in open("/proc/self/mountinfo").read()
"""


def test_a_tree_is_given_over_to_its_depths_and_nothing_outside_it(tmp_path: Path) -> None:
    store = WorkspaceStore(tmp_path / "workspaces")
    store.create("hostile", WorkspaceKind.DIRECTORY, 0, 0)
    top, outside = tmp_path / "workspaces" / "hostile", tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    bottom = _chain(top, outside)
    try:
        ownership.own(str(top), SOMEBODY, SOMEBODY)
        for name in ("out", "up", "fifo", "program"):
            status = os.stat(name, dir_fd=bottom, follow_symlinks=False)
            assert (status.st_uid, status.st_gid) == (SOMEBODY, SOMEBODY)
            assert not stat.S_ISREG(status.st_mode) or not status.st_mode & stat.S_ISUID
        assert os.fstat(bottom).st_uid == SOMEBODY
        assert (outside.stat().st_uid, (outside / "precious").stat().st_uid) == (0, 0)
        assert (top.stat().st_uid, stat.S_IMODE(top.stat().st_mode)) == (SOMEBODY, 0o700)
    finally:
        os.close(bottom)
        store.remove("hostile")


def _chain(top: Path, outside: Path) -> int:
    """The innermost of many directories, with all that could lead astray in it."""
    current = os.open(top, _DIRECTORY)
    for _ in range(DEEP):
        os.mkdir("d", dir_fd=current)
        below = os.open("d", _DIRECTORY, dir_fd=current)
        os.fchmod(current, 0)
        os.close(current)
        current = below
    os.symlink(outside, "out", dir_fd=current)
    os.symlink("..", "up", dir_fd=current)
    os.mkfifo("fifo", dir_fd=current)
    os.close(os.open("program", os.O_CREAT | os.O_WRONLY, dir_fd=current))
    os.chmod("program", 0o4700, dir_fd=current)
    return current


def test_a_tree_that_is_theirs_already_is_not_walked(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    os.chown(tmp_path, SOMEBODY, SOMEBODY)
    ownership.own(str(tmp_path), SOMEBODY, SOMEBODY)
    assert (tmp_path / "d").stat().st_uid == 0


def test_where_owners_cannot_be_shifted_the_files_are_given_over(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ON_RAMFS, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir(tmp_path) == []
