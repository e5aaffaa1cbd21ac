"""Host trees in and out: links never followed, nothing half-written."""

from __future__ import annotations

import asyncio
import os
import stat
import tarfile
from io import BytesIO
from pathlib import Path
from typing import AsyncIterator, Callable, List, Tuple

import pytest

from sandlot.contracts.errors import Conflict, DiskFull, InvalidSpec, NotFound
from sandlot.contracts.paths import WORKSPACE
from sandlot.trees import pack
from sandlot.trees.unpack import unpack, unpack_now


async def pieces(data: bytes, size: int = 777) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def packed_tree(path: Path, name: str = "tree") -> Tuple[bytes, List[Tuple[str, str]]]:
    skipped: List[Tuple[str, str]] = []

    async def work() -> bytes:
        return b"".join([data async for data in pack.stream(path, name, lambda *what: skipped.append(what))])

    return asyncio.run(work()), skipped


def names(tar: bytes) -> List[str]:
    with tarfile.open(fileobj=BytesIO(tar)) as archive:
        return archive.getnames()


def written(tar: bytes, into: Path, *, shared: bool = False) -> int:
    return asyncio.run(unpack(pieces(tar), into, shared=shared))


def written_now(tar: bytes, into: Path) -> int:
    return unpack_now((tar[start : start + 777] for start in range(0, len(tar), 777)), into)


in_both_ways = pytest.mark.parametrize("write", [written, written_now])


def hostile(*members: tarfile.TarInfo) -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member in members:
            archive.addfile(member, BytesIO(bytes(member.size)))
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


@in_both_ways
def test_a_tree_comes_back_as_it_was(tmp_path: Path, write: Callable[[bytes, Path], int]) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deep/er").mkdir(parents=True)
    target.mkdir()
    (source / "deep/er/file").write_bytes(b"x" * 300_000)
    (source / "tool").write_text("#!/bin/sh\n")
    (source / "tool").chmod(0o755)
    tar, skipped = packed_tree(source)
    assert (write(tar, target), skipped) == (5, [])
    assert (target / "tree/deep/er/file").read_bytes() == b"x" * 300_000
    assert stat.S_IMODE((target / "tree/tool").stat().st_mode) & 0o100
    assert os.listdir(target) == ["tree"]


def test_a_single_file_gets_the_name_given(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    tar, _ = packed_tree(tmp_path / "a", "b/c")
    assert names(tar) == ["b/c"]


def test_what_could_lead_elsewhere_is_left_out_and_told(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").symlink_to("/etc")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "kept").write_bytes(b"")
    tar, skipped = packed_tree(tmp_path)
    assert names(tar) == ["tree", "tree/kept"]
    assert dict(skipped) == {
        "tree/link": "a symbolic link",
        "tree/folder": "a symbolic link",
        "tree/fifo": "a FIFO",
    }


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing-here"):
        packed_tree(tmp_path / "nothing-here")


def test_a_tree_too_deep_for_an_archive_is_refused(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 80)
    deep.mkdir(parents=True)
    with pytest.raises(InvalidSpec, match="levels"):
        packed_tree(tmp_path)


@in_both_ways
@pytest.mark.parametrize(
    "bad",
    [
        member("../up", size=3),
        member("/absolute", size=3),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.SYMTYPE, "../../etc"),
        member("hard", tarfile.LNKTYPE, "good"),
        member("device", tarfile.CHRTYPE),
        member("fifo", tarfile.FIFOTYPE),
        member("good/below"),
    ],
    ids=lambda bad: str(bad.name),
)
def test_a_hostile_archive_leaves_nothing(
    tmp_path: Path, bad: tarfile.TarInfo, write: Callable[[bytes, Path], int]
) -> None:
    with pytest.raises(InvalidSpec, match="cannot be taken out"):
        write(hostile(member("good", size=5), bad), tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_truncated_archive_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="truncated"):
        written(hostile(member("good", size=5))[:512], tmp_path)
    assert os.listdir(tmp_path) == []


def test_links_that_stay_beneath_are_kept(tmp_path: Path) -> None:
    written(hostile(member("lib/so.1"), member("lib/so", tarfile.SYMTYPE, "so.1")), tmp_path)
    assert os.readlink(tmp_path / "lib/so") == "so.1"


def test_nothing_is_written_through_a_link_of_the_archive(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    with pytest.raises(InvalidSpec):
        written(hostile(member("door", tarfile.SYMTYPE, "../outside"), member("door/file", size=3)), inside)
    assert os.listdir(outside) == []


def test_nothing_is_written_through_a_link_of_the_host(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (inside / "door").symlink_to(outside)
    (inside / "file").symlink_to(outside / "target")
    (outside / "target").write_bytes(b"kept")
    with pytest.raises(Conflict, match="door is in the way"):
        written(hostile(member("door/new", size=3), member("file", size=3)), inside)
    assert (outside / "target").read_bytes() == b"kept"
    written(hostile(member("file", size=3)), inside)
    assert not (inside / "file").is_symlink()
    assert os.listdir(outside) == ["target"]


def test_directories_are_joined_and_files_replaced(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/old").write_bytes(b"old")
    (tmp_path / "a/b/new").write_bytes(b"before")
    written(hostile(member("a/b/new", size=2)), tmp_path)
    assert sorted(os.listdir(tmp_path / "a/b")) == ["new", "old"]
    assert (tmp_path / "a/b/new").read_bytes() == bytes(2)


def test_a_shared_tree_is_readable_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        written(hostile(member("a/b", size=2)), tmp_path, shared=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o644


def test_folders_are_made_empty(tmp_path: Path) -> None:
    written(pack.folders("out"), tmp_path)
    assert os.listdir(tmp_path / "out") == []


def test_few_of_many_left_out_are_told() -> None:
    lines = pack.leaving_out([(str(n), "a FIFO") for n in range(9)])
    assert lines[-1] == "and 4 more left out"
    assert len(lines) == 6


def test_files_by_name_are_one_archive() -> None:
    assert names(pack.packed({"b": b"2", "/workspace/a": b"1"}, WORKSPACE)) == ["a", "b"]


def test_a_cancelled_copy_leaves_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        has_begun = asyncio.Event()

        async def stuck() -> AsyncIterator[bytes]:
            yield hostile(member("good", size=5))[:512]
            has_begun.set()
            await asyncio.Event().wait()

        copying = asyncio.ensure_future(unpack(stuck(), tmp_path))
        await has_begun.wait()
        assert os.listdir(tmp_path)
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying

    asyncio.run(work())
    assert os.listdir(tmp_path) == []


def test_a_directory_that_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="cannot be written"):
        written_now(b"", tmp_path / "missing")
