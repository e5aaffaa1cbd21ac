from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from typing import Any, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.wire.archive import (
    ArchiveError,
    ArchiveReader,
    ArchiveRules,
    Chunk,
    Member,
    MemberEnd,
    MemberKind,
)
from tests.base.wire.blocks import (
    END,
    GNU,
    directory,
    file,
    header,
    names,
    padded,
    pax,
    read,
    symlink,
)

WITH_LINKS = ArchiveRules(allow_symlinks=True)
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def info(name: str, kind: bytes = tarfile.REGTYPE, **fields: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def packed(members: List[Tuple[tarfile.TarInfo, bytes]], tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tar_format) as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return target.getvalue()


def test_a_member_and_its_events_in_order() -> None:
    reader = ArchiveReader()
    data = directory(b"d/") + header(b"d/f", b"0", 3, mode=0o600, mtime=1234) + padded(b"abc") + END
    assert list(reader.feed(data)) == [
        Member("d", MemberKind.DIRECTORY, mode=0o755),
        MemberEnd(),
        Member("d/f", MemberKind.FILE, 3, 0o600, 1234),
        Chunk(b"abc"),
        MemberEnd(),
    ]
    reader.finish()


def test_an_archive_of_nothing_is_an_archive() -> None:
    assert read(END) == []
    assert read(gzip.compress(END)) == []


@pytest.mark.parametrize("tar_format", FORMATS)
@pytest.mark.parametrize("step", [1, 511, 512, 513, 1 << 30])
def test_what_tarfile_writes_is_read(tar_format: int, step: int) -> None:
    long = "/".join(["long" * 12] * 3)
    members = [
        (info("directory", tarfile.DIRTYPE, mode=0o750, mtime=1_700_000_000), b""),
        (info("directory/empty"), b""),
        (info("directory/file", mode=0o640, mtime=1), b"contents" * 100),
        (info("exact"), bytes(range(256)) * 2),
        (info(f"{long}/file"), b"long"),
        (info("ünïcödé \n file"), b"u"),
        (info("link", tarfile.SYMTYPE, linkname="directory/file"), b""),
    ]
    found = read(packed(members, tar_format), WITH_LINKS, step)
    assert [(member.name, member.size, member.link) for member, _ in found] == [
        (given_.name, given_.size, given_.linkname) for given_, _ in members
    ]
    assert [contents for _, contents in found] == [data for _, data in members]
    assert found[0][0] == Member("directory", "directory", 0, 0o750, 1_700_000_000)
    assert found[2][0].mode == 0o640


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_links_are_read(tar_format: int) -> None:
    name = "n" * 200 + "/" + "ä" * 120
    target = "t" * 150 + "/" + "ö" * 120
    made = packed([(info(name, tarfile.SYMTYPE, linkname=target), b"")], tar_format)
    assert [member.link for member, _ in read(made, WITH_LINKS)] == [target]
    assert names(made, WITH_LINKS) == [name]


def test_names_are_made_plain_and_the_root_is_left_out() -> None:
    data = directory(b"./") + directory(b".") + file(b"./a//b/./c") + directory(b"e/.") + END
    assert names(data) == ["a/b/c", "e"]


def test_a_directory_may_come_after_what_is_in_it() -> None:
    assert names(file(b"a/b") + directory(b"a") + END) == ["a/b", "a"]


@pytest.mark.parametrize(
    "name", [b"-rf", b" lead", b"new\nline", b"CON", b"back\\slash", b"\xe2\x80\xaertl", b"...", b"n" * 100]
)
def test_odd_but_honest_names_are_kept(name: bytes) -> None:
    assert names(file(name) + END) == [name.decode()]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (1, 1),
        (0, 0),
        (b"\xff" * 12, 0),
        (b"\x80" + b"\0" * 6 + b"\1" + bytes(4), 2**32),
        (b" 17 \0".ljust(12), 15),
    ],
)
def test_times_of_every_notation_are_read(sent: Any, kept: int) -> None:
    ((member, _),) = read(header(mtime=sent) + END)
    assert member.mtime == kept


@pytest.mark.parametrize(
    ("sent", "kept"), [(b"12.75", 12), (b"-1.5", 0), (b"7.", 7), (b"9" * 20, 2**33 - 1), (b"0", 0)]
)
def test_pax_times_are_cut_and_clamped(sent: bytes, kept: int) -> None:
    ((member, _),) = read(pax({b"mtime": sent}) + header(mtime=5) + END)
    assert member.mtime == kept


def test_pax_records_count_for_the_next_member_only() -> None:
    data = (
        pax({b"path": b"renamed", b"mtime": b"9"}) + header(b"old", mtime=5) + header(b"new", mtime=5) + END
    )
    assert [(member.name, member.mtime) for member, _ in read(data)] == [("renamed", 9), ("new", 5)]


def test_pax_records_nobody_needs_are_passed_over() -> None:
    records = {
        b"comment": b"x",
        b"uid": b"0",
        b"SCHILY.xattr.user.x": b"\xff\0",
        b"hdrcharset": b"ISO-IR 10646 2000 UTF-8",
    }
    assert names(pax(records) + file(b"a") + END) == ["a"]
    assert names(pax({b"comment": b"0" * 40, b"mtime": b"1"}, b"g") + file(b"a") + END) == ["a"]


def test_a_pax_size_that_says_the_same_is_no_harm() -> None:
    assert read(pax({b"size": b"3"}) + file(b"a", b"abc") + END)[0][1] == b"abc"


def test_a_size_that_no_header_can_hold_is_read_from_pax_or_base_256() -> None:
    rules = ArchiveRules(max_bytes=2**40, max_member_bytes=2**40)
    for announced in (
        pax({b"size": b"%d" % 2**33}) + header(b"huge"),
        header(b"huge", size=b"\x80" + (2**33).to_bytes(11, "big"), magic=GNU),
    ):
        assert list(ArchiveReader(rules).feed(announced)) == [Member("huge", "file", 2**33)]


def test_a_prefix_is_part_of_a_posix_name_only() -> None:
    assert names(header(b"name", prefix=b"some/where") + END) == ["some/where/name"]
    assert names(header(b"name", prefix=b"00000001", magic=GNU) + END) == ["name"]


def test_a_gnu_long_name_ends_at_its_zeros() -> None:
    body = b"n" * 150 + bytes(50)
    data = header(b"././@LongLink", b"L", len(body), magic=GNU) + padded(body) + file(b"cut") + END
    assert names(data) == ["n" * 150]


def test_links_lead_where_they_are_allowed() -> None:
    data = symlink(b"a/b/link", b"../../x/y") + symlink(b"here", b".") + symlink(b"next", b"./a/b") + END
    assert [member.link for member, _ in read(data, WITH_LINKS)] == ["../../x/y", ".", "./a/b"]


def test_zeros_may_follow_the_end() -> None:
    assert names(file(b"a") + END + bytes(2**20 - 1)) == ["a"]
    assert names(gzip.compress(file(b"a") + END + bytes(100_000)) + bytes(700)) == ["a"]


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("step", [1, 7, 16_385, 1 << 30])
def test_gzip_is_known_by_its_first_bytes(level: int, step: int) -> None:
    contents = bytes(range(256)) * 40
    data = gzip.compress(file(b"a", contents) + END, level)
    assert [found for _, found in read(data, step=step)] == [contents]


def test_a_large_compressed_file_arrives_whole_in_small_chunks() -> None:
    contents = b"0123456789abcdef" * 200_000
    data = gzip.compress(file(b"a", contents) + END, 9)
    assert read(data)[0][1] == contents


def test_gzip_of_zeros_is_accepted_while_it_is_small() -> None:
    assert len(read(gzip.compress(file(b"a", bytes(2**24)) + END))[0][1]) == 2**24


def test_what_is_not_iterated_over_waits() -> None:
    reader = ArchiveReader()
    reader.feed(file(b"a", b"1"))
    assert next(reader.feed(file(b"b", b"2"))) == Member("a", "file", 1)
    events = reader.feed(END)
    assert [event.name for event in events if isinstance(event, Member)] == ["b"]
    reader.finish()


def test_finish_refuses_while_events_are_unread() -> None:
    reader = ArchiveReader()
    reader.feed(file(b"a") + END)
    with pytest.raises(ArchiveError) as refused:
        reader.finish()
    assert refused.value.reason == "truncated"


def test_an_error_is_remembered() -> None:
    reader = ArchiveReader()
    with pytest.raises(ArchiveError) as first:
        list(reader.feed(file(b"/etc/passwd")))
    with pytest.raises(ArchiveError) as second:
        list(reader.feed(END))
    with pytest.raises(ArchiveError) as third:
        reader.finish()
    assert first.value is second.value is third.value


def test_memory_stays_bounded_while_gzip_expands() -> None:
    zeros = zlib.compressobj(9, zlib.DEFLATED, 31)
    size = 30 * 2**20
    data = zeros.compress(header(b"zeros", b"0", size) + bytes(size) + END) + zeros.flush()
    reader = ArchiveReader()
    for event in reader.feed(data):
        assert not isinstance(event, Chunk) or len(event.data) <= 65536
        assert len(reader._source.ready) <= 2 * 65536
        assert len(reader._source._waiting) <= len(data)
    reader.finish()


_NAMES = st.lists(
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=8),
    min_size=1,
    max_size=3,
)


@given(
    st.lists(
        st.tuples(_NAMES, st.binary(max_size=1500)), max_size=5, unique_by=lambda pair: "/".join(pair[0])
    ),
    st.integers(1, 2000),
    st.booleans(),
    st.sampled_from(FORMATS),
)
def test_any_cutting_reads_what_tarfile_wrote(
    files: List[Tuple[List[str], bytes]], step: int, zipped: bool, tar_format: int
) -> None:
    members = [(info(f"{index}/{'/'.join(name)}x"), data) for index, (name, data) in enumerate(files)]
    members = [(member, data) for member, data in members if ".." not in member.name.split("/")]
    data = packed(members, tar_format)
    found = read(gzip.compress(data, 1) if zipped else data, step=step)
    plain = ["/".join(part for part in member.name.split("/") if part != ".") for member, _ in members]
    assert [(member.name, contents) for member, contents in found] == list(
        zip(plain, (contents for _, contents in members))
    )
