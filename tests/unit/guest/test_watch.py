"""Changes below a directory, told until the host cancels."""

from __future__ import annotations

import shutil
from pathlib import Path

from sandlot.wire.frames import Frame, Kind
from tests.base.guest.driver import Host


def _watching(host: Host, path: Path, *, recursive: bool = False) -> int:
    stream = host.open("watch", path=str(path), recursive=recursive)
    host.until(lambda: host.replies[stream].events)
    return stream


def _told(host: Host, stream: int) -> list[tuple[str, str]]:
    changes = [event["change"] for event in host.replies[stream].events if "change" in event]
    return [(Path(change["path"]).name, change["kind"]) for change in changes]


def test_each_kind_of_change_is_told(host: Host, tmp_path: Path) -> None:
    stream = _watching(host, tmp_path)
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "file").rename(tmp_path / "renamed")
    (tmp_path / "renamed").unlink()
    host.until(lambda: ("renamed", "deleted") in _told(host, stream))
    expected = {("file", "created"), ("file", "modified"), ("file", "moved"), ("renamed", "moved")}
    assert expected <= set(_told(host, stream))
    host.post(Frame(Kind.CANCEL, stream))
    assert host.finish(stream).ok == {}


def test_the_agents_own_drafts_are_not_told(host: Host, tmp_path: Path) -> None:
    stream = _watching(host, tmp_path)
    host.upload("write", b"1", path=f"{tmp_path}/file")
    host.ask("remove", path=f"{tmp_path}/file")
    (tmp_path / "last").touch()
    host.until(lambda: ("last", "created") in _told(host, stream))
    assert {name for name, _ in _told(host, stream)} == {"file", "last"}
    assert ("file", "created") in _told(host, stream)


def test_new_directories_are_watched_too(host: Host, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    stream = _watching(host, tmp_path, recursive=True)
    (tmp_path / "old" / "one").touch()
    (tmp_path / "new").mkdir()
    host.until(lambda: ("new", "created") in _told(host, stream))
    (tmp_path / "new" / "two").touch()
    host.until(lambda: {("one", "created"), ("two", "created")} <= set(_told(host, stream)))


def test_a_flood_is_summed_up(host: Host, tmp_path: Path) -> None:
    stream = _watching(host, tmp_path)
    for number in range(3000):
        (tmp_path / str(number)).touch()
    host.until(lambda: (tmp_path.name, "modified") in _told(host, stream))
    assert len(_told(host, stream)) < 1024


def test_the_end_of_the_directory_ends_the_watch(host: Host, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    stream = _watching(host, tmp_path / "folder")
    shutil.rmtree(tmp_path / "folder")
    assert host.finish(stream).error == "not_found"


def test_a_link_is_not_watched(host: Host, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    assert host.ask("watch", path=f"{tmp_path}/link").error == "path_escape"
    assert host.ask("watch", path=f"{tmp_path}/missing").error == "not_found"
