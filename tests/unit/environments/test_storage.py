from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from sandlot import settings
from sandlot.environments.storage import cached, keep, set_aside, staging_in, sweep, write_whole


def build(staging: Path) -> None:
    (staging / "tree/lib").mkdir(parents=True)
    (staging / "tree/lib/file").write_bytes(b"")
    (staging / "tree/lib").chmod(0o555)


def test_a_folder_that_was_not_renamed_is_gone(tmp_path: Path) -> None:
    with staging_in(tmp_path) as staging:
        build(staging)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_was_renamed_stays(tmp_path: Path) -> None:
    with staging_in(tmp_path) as staging:
        build(staging)
        staging.rename(tmp_path / "kept")
    assert os.listdir(tmp_path) == ["kept"]


def test_a_sweep_takes_what_a_killed_process_left_and_nothing_in_use(tmp_path: Path) -> None:
    killed = "import os, sys; from pathlib import Path; from sandlot.environments.storage import staging_in\n"
    killed += "with staging_in(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", killed, str(tmp_path)], check=False, cwd=root)
    (left,) = os.listdir(tmp_path)
    with staging_in(tmp_path) as staging:
        build(staging)
        sweep(tmp_path)
        assert os.listdir(tmp_path) == [staging.name]
        assert left != staging.name


def test_what_is_set_aside_is_swept(tmp_path: Path) -> None:
    build(tmp_path / "old")
    set_aside(tmp_path / "old")
    assert not (tmp_path / "old").exists()
    sweep(tmp_path)
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        set_aside(tmp_path / "old")


def test_a_file_that_is_written_once_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "agent"
    write_whole(path, b"first", once=True)
    before = path.stat().st_ino
    write_whole(path, b"second", once=True)
    assert (path.read_bytes(), path.stat().st_ino) == (b"first", before)
    assert [entry.name for entry in tmp_path.iterdir()] == ["agent"]


def test_what_is_kept_is_made_once_in_a_folder_and_what_is_cached_once_for_all(tmp_path: Path) -> None:
    name, made = f"test-{secrets.token_hex(8)}.bin", []

    def make() -> bytes:
        made.append(name)
        return b"made"

    try:
        for folder in (tmp_path / "one", tmp_path / "one", tmp_path / "other"):
            keep(folder / name, "test-*.bin", lambda: cached(name, "test-*.bin", make))
            assert (folder / name).read_bytes() == b"made"
    finally:
        (settings.cache_directory() / name).unlink(missing_ok=True)
    assert made == [name]
