"""Whole trees in and out as tar, checked against the standard library's tarfile."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from sandlot.wire.frames import Frame, Kind
from tests.base.guest.driver import Host


def _tar(*members: tuple[str, bytes | None], mode: str = "w") -> bytes:
    """An archive of files, and of directories where the content is None."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.mtime = 1_000_000_000
            if content is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o750
                archive.addfile(member)
            else:
                member.size, member.mode = len(content), 0o4640
                archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_becomes_a_tree(host: Host, tmp_path: Path, mode: str) -> None:
    data = _tar(("a", None), ("a/b.txt", b"text"), ("c/d/e.bin", bytes(1000)), mode=mode)
    assert host.upload("put", data, path=f"{tmp_path}/new/place").ok == {"members": 3, "bytes": 1004}
    place = tmp_path / "new" / "place"
    assert (place / "a" / "b.txt").read_bytes() == b"text"
    status = (place / "a" / "b.txt").stat()
    assert (status.st_mode & 0o7777, status.st_mtime) == (0o640, 1_000_000_000)
    assert (place / "a").stat().st_mode & 0o7777 == 0o750
    assert (place / "a").stat().st_mtime == 1_000_000_000
    assert os.listdir(tmp_path) == ["new"]


def test_an_archive_merges_with_what_is_there(host: Host, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "kept").write_bytes(b"kept")
    (tmp_path / "a" / "old").write_bytes(b"old")
    assert (
        host.upload("put", _tar(("a/old", b"new"), ("a/sub/x", b"x")), path=str(tmp_path)).ok["members"] == 2
    )
    assert {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == {
        "kept": b"kept",
        "old": b"new",
        "x": b"x",
    }


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (_tar(("ok", b"1"), ("../escape", b"2")), "archive"),
        (_tar(("ok", b"1"), ("/absolute", b"2")), "archive"),
        (_tar(("ok", b"1"), ("same", b"2"), ("same", b"3")), "archive"),
        (_tar(("ok", b"1"))[:600], "archive"),
        (_tar(("ok", b"1"), mode="w:gz")[:-9], "archive"),
        (b"no archive at all" * 100, "archive"),
        (b"", "archive"),
        (_tar(("ok", b"1"), ("folder", b"2")), "is_directory"),
        (_tar(("ok", b"1"), ("file/below", b"2")), "not_directory"),
    ],
)
def test_a_bad_archive_is_refused_whole(host: Host, tmp_path: Path, data: bytes, code: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    assert host.upload("put", data, path=str(tmp_path)).error == code
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_links_of_the_tree_are_not_written_through(
    host: Host, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (tmp_path / "link").symlink_to(outside)
    assert host.upload("put", _tar(("link/x", b"1")), path=str(tmp_path)).error == "not_directory"
    assert host.upload("put", _tar(("x", b"1")), path=f"{tmp_path}/link").error == "path_escape"
    assert os.listdir(outside) == []
    assert os.listdir(tmp_path) == ["link"]


def test_a_cancelled_upload_leaves_nothing(host: Host, tmp_path: Path) -> None:
    stream = host.open("put", path=f"{tmp_path}/place")
    host.send(stream, Kind.INPUT, _tar(("a/b", bytes(100_000)))[:50_000])
    assert host.ask("ping").ok == {}
    host.post(Frame(Kind.CANCEL, stream))
    assert host.finish(stream).error == "failed"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("end", [b"", b"garbage" * 100], ids=["good", "refused"])
def test_an_upload_that_is_undone_is_undone_whole_however_often_it_is_cancelled(
    host: Host, tmp_path: Path, end: bytes
) -> None:
    # More files than are removed in one turn, so that the second cancel comes while they are.
    data = _tar(*((f"a/{number}", b"") for number in range(450)))[: -20 * 512] + end
    stream = host.open("put", path=f"{tmp_path}/place")
    host.send(stream, Kind.INPUT, data)
    host.post(Frame(Kind.CANCEL, stream))
    host.post(Frame(Kind.CANCEL, stream))
    assert host.ask("ping").ok == {}
    assert host.finish(stream).error in ("failed", "archive")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("compress", [False, True])
def test_a_tree_becomes_an_archive(host: Host, tmp_path: Path, compress: bool) -> None:
    (tmp_path / "a" / "empty").mkdir(parents=True)
    (tmp_path / "a" / "large").write_bytes(os.urandom(300_000))
    (tmp_path / "a" / "setuid").write_bytes(b"x")
    (tmp_path / "a" / "setuid").chmod(0o6755)
    (tmp_path / "a" / "link").symlink_to("large")
    (tmp_path / "a" / "away").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "a" / "fifo")
    reply = host.ask("get", path=str(tmp_path), compress=compress)
    assert reply.stdout.startswith(b"\x1f\x8b") == compress
    with tarfile.open(fileobj=io.BytesIO(reply.stdout)) as archive:
        found = {member.name: member for member in archive}
        large = archive.extractfile("a/large")
        assert large is not None
        assert large.read() == (tmp_path / "a" / "large").read_bytes()
    assert sorted(found) == ["a", "a/empty", "a/large", "a/link", "a/setuid"]
    assert found["a/setuid"].mode == 0o755
    assert found["a/link"].linkname == "large"
    assert reply.ok["skipped"] == 2
    assert {event["skipped"]["path"] for event in reply.events} == {"a/away", "a/fifo"}


def test_one_file_becomes_an_archive_of_one(host: Host, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    reply = host.ask("get", path=f"{tmp_path}/one")
    with tarfile.open(fileobj=io.BytesIO(reply.stdout)) as archive:
        assert archive.getnames() == ["one"]


def test_holes_count_as_if_they_were_written(host: Host, tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(2**40)
    reply = host.ask("get", path=str(tmp_path))
    assert reply.error == "too_large"
    assert len(reply.stdout) < 100_000


def test_what_was_taken_out_can_be_put_back(host: Host, tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number % 7}").mkdir(exist_ok=True)
        (tmp_path / f"{number % 7}" / f"{number}").write_bytes(b"%d" % number)
    data = host.ask("get", path=str(tmp_path), compress=True).stdout
    assert host.upload("put", data, path=f"{tmp_path}/copy").ok["members"] == 307
    originals = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.glob("?/*")}
    copies = {path.relative_to(tmp_path / "copy"): path.read_bytes() for path in tmp_path.glob("copy/?/*")}
    assert originals == copies
