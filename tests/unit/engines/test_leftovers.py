from __future__ import annotations

import os
from pathlib import Path

from sandlot.engines.process.leftovers import remove_tree


def test_a_tree_deeper_than_any_path_is_removed(tmp_path: Path) -> None:
    top = tmp_path / "box"
    top.mkdir()
    directory = os.open(top, os.O_RDONLY)
    for _ in range(3_000):
        os.mkdir("d", dir_fd=directory)
        inner = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = inner
    os.close(directory)
    remove_tree(str(top))
    assert not top.exists()


def test_closed_directories_are_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("precious")
    top = tmp_path / "box"
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / "f").write_text("x")
    (top / "a" / "link").symlink_to(kept)
    (top / "link").symlink_to(kept / "file")
    os.mkfifo(top / "a" / "fifo")
    os.chmod(top / "a" / "b", 0)
    os.chmod(top / "a", 0)
    os.chmod(top, 0o500)
    remove_tree(str(top))
    assert not top.exists()
    assert (kept / "file").read_text() == "precious"


def test_what_is_gone_already_is_no_error(tmp_path: Path) -> None:
    remove_tree(str(tmp_path / "nothing"))
