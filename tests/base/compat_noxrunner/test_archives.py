from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from sandlot.compat.noxrunner.fileops import TarHandler
from sandlot.wire.archive import ArchiveWriter, Member, MemberKind
from tests.base.compat_noxrunner.recorder import archive, members

LINK: Dict[str, Any] = {"type": tarfile.SYMTYPE}
HARD: Dict[str, Any] = {"type": tarfile.LNKTYPE}
FIFO: Dict[str, Any] = {"type": tarfile.FIFOTYPE}
DIRECTORY: Dict[str, Any] = {"type": tarfile.DIRTYPE, "mode": 0o755}


def tree(directory: Path) -> List[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def extract(packed: bytes, directory: Path, **options: Any) -> int:
    return TarHandler().extract_tar(packed, directory / "x", **options)


def test_an_upload_names_sizes_and_nothing_else() -> None:
    packed = TarHandler().create_tar({"a": "\u00e9", "d/b": b"x", "/abs": "q", "../up": "", "n" * 150: "l"})
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as found:
        seen = [(entry.name, entry.size) for entry in found]
        assert {(e.mode, e.mtime, e.uid, e.gid, e.uname, e.gname) for e in found} == {
            (0o644, 0, 0, 0, "", "")
        }
    assert seen == [("a", 2), ("d/b", 1), ("/abs", 1), ("../up", 0), ("n" * 150, 1)]


def test_an_upload_is_byte_for_byte_what_tarfile_writes() -> None:
    entry = tarfile.TarInfo("d/a")
    entry.size = 1
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as written:
        written.addfile(entry, io.BytesIO(b"x"))
    assert gzip.decompress(TarHandler().create_tar({"d/a": "x"})) == plain.getvalue()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    inner = tmp_path / "w"
    (inner / "sub").mkdir(parents=True)
    (inner / "empty").mkdir()
    (inner / "f").write_text("f")
    (inner / "f").chmod(0o750)
    (inner / "sub" / ".h").write_text("h")
    (inner / "link").symlink_to("f")
    (inner / "folder").symlink_to("sub")
    os.mkfifo(inner / "pipe")
    return inner


def test_a_directory_is_packed_without_empty_ones_and_special_files(workspace: Path) -> None:
    packed = TarHandler().create_tar_from_directory(workspace, workspace)
    with tarfile.open(fileobj=io.BytesIO(packed)) as found:
        seen = {entry.name: (entry.type, entry.mode) for entry in found}
    assert seen == {
        "f": (tarfile.REGTYPE, 0o750),
        "link": (tarfile.SYMTYPE, 0o777),
        "sub/.h": (tarfile.REGTYPE, 0o644),
    }
    inner = TarHandler().create_tar_from_directory(workspace / "sub", workspace)
    assert members(inner) == [("sub/.h", 1)]
    with pytest.raises(ValueError, match="sub"):
        TarHandler().create_tar_from_directory(workspace, workspace / "sub")


def test_a_file_is_packed_by_its_name_and_nothing_as_nothing(workspace: Path) -> None:
    handler = TarHandler()
    assert members(handler.create_tar_from_directory(workspace / "f", workspace / "f")) == [("f", 1)]
    assert members(handler.create_tar_from_directory(workspace / "no", workspace)) == []


@pytest.mark.parametrize("gzipped", [True, False])
def test_files_come_out_with_mode_and_time(tmp_path: Path, gzipped: bool) -> None:
    packed = archive(
        ("./e", DIRECTORY),
        ("./d/a", {"data": b"1", "mode": 0o6777, "mtime": 5}),
        ("long/" * 30 + "b", b"22"),
        gzipped=gzipped,
    )
    assert extract(packed, tmp_path) == 2
    found = (tmp_path / "x" / "d" / "a").stat()
    assert (found.st_mode & 0o7777, found.st_mtime) == (0o755, 5)
    assert (tmp_path / "x" / ("long/" * 30) / "b").read_bytes() == b"22"
    assert not (tmp_path / "x" / "e").exists()


def test_later_entries_and_existing_files_are_replaced(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("kept")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").symlink_to(outside)
    assert extract(archive(("a", b"1"), ("a", b"2")), tmp_path) == 2
    assert (tmp_path / "x" / "a").read_text() == "2"
    assert outside.read_text() == "kept"


def test_links_that_stay_are_made_and_hard_links_are_copies(tmp_path: Path) -> None:
    packed = archive(
        ("d/a", b"1"),
        ("d/l", {**LINK, "linkname": "a"}),
        ("up", {**LINK, "linkname": "d/a"}),
        ("h", {**HARD, "linkname": "d/a"}),
    )
    assert extract(packed, tmp_path) == 4
    home = tmp_path / "x"
    assert [(home / name).read_text() for name in ("d/l", "up", "h")] == ["1"] * 3
    assert (home / "d" / "l").is_symlink()
    assert not (home / "h").is_symlink()


UNWELCOME: List[Tuple[str, Any]] = [
    ("/abs", b"1"),
    ("../up", b"1"),
    ("d/../../up", b"1"),
    ("a..b", b"1"),
    ("l", {**LINK, "linkname": "/etc/passwd"}),
    ("l", {**LINK, "linkname": "../../etc"}),
    ("d/l", {**LINK, "linkname": "x/../.."}),
    ("h", {**HARD, "linkname": "/etc/passwd"}),
    ("h", {**HARD, "linkname": "never/sent"}),
    ("p", FIFO),
    ("c", {"type": tarfile.CHRTYPE}),
    ("n\x01" + "m" * 5000, b"1"),
]


@pytest.mark.parametrize("entry", UNWELCOME, ids=lambda entry: ascii(entry)[:60])
def test_what_leads_out_is_left_out_and_the_rest_arrives(tmp_path: Path, entry: Tuple[str, Any]) -> None:
    assert extract(archive(("first", b"1"), entry, ("last", b"2")), tmp_path) == 2
    assert tree(tmp_path) == ["x", "x/first", "x/last"]


def test_a_hard_link_to_a_file_that_was_there_before_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "secret").write_text("secret")
    assert extract(archive(("h", {**HARD, "linkname": "secret"})), tmp_path) == 0
    assert tree(tmp_path) == ["x", "x/secret"]


@pytest.mark.parametrize("entry", [("l", {**LINK, "linkname": "d"}), ("l", b"")], ids=["link", "file"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_name_that_is_two_things_refuses_all_of_it(
    tmp_path: Path, entry: Tuple[str, Any], turned: bool
) -> None:
    entries = [("first", b"1"), entry, ("l/a", b"1")]
    with pytest.raises(tarfile.ReadError, match="'l' is a directory and something else"):
        extract(archive(*(reversed(entries) if turned else entries)), tmp_path)
    assert tree(tmp_path) == []


def test_writing_through_a_link_that_was_there_before_fails(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "l").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"directory|symbolic"):
        extract(archive(("l/a", b"1")), tmp_path)
    assert tree(tmp_path) == ["elsewhere", "x", "x/l"]


_GOOD = archive(("a", b"x" * 9000), ("b", b"y"), gzipped=False)
_NEGATIVE = bytearray(archive(("a", b""), gzipped=False))
_NEGATIVE[124:136] = b"\xff" * 11 + b"\x00"
_NEGATIVE[148:156] = b" " * 8
_NEGATIVE[148:156] = b"%06o\0 " % sum(_NEGATIVE[:512])


@pytest.mark.parametrize(
    "packed",
    [
        b"junk",
        b"junk" * 400,
        _GOOD[:5000],
        gzip.compress(_GOOD)[:-30],
        b"\x1f\x8b" + b"\0" * 600,
        bytes(_NEGATIVE),
        _GOOD[:100] + b"\1" + _GOOD[101:],
    ],
    ids=["short", "junk", "cut", "cut gzip", "no gzip", "negative size", "checksum"],
)
def test_a_damaged_archive_leaves_nothing(tmp_path: Path, packed: bytes) -> None:
    with pytest.raises(tarfile.ReadError):
        extract(packed, tmp_path)
    assert tree(tmp_path) == []


def test_a_second_size_is_no_way_to_smuggle(tmp_path: Path) -> None:
    packed = archive(("a", {"data": b"1" * 600, "pax_headers": {"size": "512"}}))
    with pytest.raises(tarfile.ReadError, match="two sizes"):
        extract(packed, tmp_path)
    assert tree(tmp_path) == []


def test_nothing_is_extracted_from_nothing_or_to_outside_of_the_sandbox(tmp_path: Path) -> None:
    packed = archive(("a", b"1"))
    assert extract(b"", tmp_path) == 0
    assert extract(packed, tmp_path, sandbox_path=tmp_path / "other") == 0
    assert tree(tmp_path) == []
    assert extract(packed, tmp_path, sandbox_path=tmp_path) == 1


def test_absolute_names_are_left_out_even_if_allowed(tmp_path: Path) -> None:
    packed = archive((str(tmp_path / "x" / "a"), b"1"), ("b", b"2"))
    assert extract(packed, tmp_path, sandbox_path=tmp_path, allow_absolute=True) == 1
    assert tree(tmp_path) == ["x", "x/b"]


def test_what_the_service_writes_can_be_read(tmp_path: Path) -> None:
    writer = ArchiveWriter(compress=True)
    sent = writer.member(Member(name="d", kind=MemberKind.DIRECTORY, mode=0o755)) + writer.end_member()
    sent += writer.member(Member(name="d/\u00e9" + "x" * 120, kind=MemberKind.FILE, size=3))
    sent += writer.data(b"abc") + writer.end_member()
    sent += writer.member(Member(name="l", kind=MemberKind.SYMLINK, link="d")) + writer.end_member()
    assert extract(sent + writer.finish(), tmp_path) == 2
    assert (tmp_path / "x" / "l" / ("\u00e9" + "x" * 120)).read_bytes() == b"abc"


def test_a_file_of_zeros_comes_home(tmp_path: Path) -> None:
    assert extract(archive(("zeros", bytes(2**26))), tmp_path) == 1
    assert (tmp_path / "x" / "zeros").stat().st_size == 2**26
