from __future__ import annotations

import gzip
from typing import List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.wire.archive import ArchiveError, ArchiveRules, ArchiveWriter, Member, MemberKind
from tests.base.wire.blocks import by_tarfile, read

WITH_LINKS = ArchiveRules(allow_symlinks=True)
HUGE = ArchiveRules(max_bytes=2**40, max_member_bytes=2**40, allow_symlinks=True)


def written(members: List[Tuple[Member, bytes]], *, compress: bool = False) -> bytes:
    writer = ArchiveWriter(compress=compress)
    made = b""
    for member, data in members:
        made += writer.member(member)
        for start in range(0, len(data), 1000):
            made += writer.data(data[start : start + 1000])
        made += writer.end_member()
    return made + writer.finish()


MEMBERS = [
    (Member("plain", MemberKind.FILE, 5, 0o600, 1_700_000_000), b"hello"),
    (Member("exact", MemberKind.FILE, 512), bytes(512)),
    (Member("empty", MemberKind.FILE), b""),
    (Member("directory", MemberKind.DIRECTORY, 0, 0o755, 7), b""),
    (Member("directory/link", MemberKind.SYMLINK, link="../plain"), b""),
    (Member("n" * 100, MemberKind.FILE, 2500), b"x" * 2500),
    (Member("n" * 101, MemberKind.FILE, 1), b"x"),
    (Member("/".join(["d" * 60] * 9), MemberKind.FILE, 1), b"y"),
    (Member("ä\nö", MemberKind.FILE, 1, 0, 2**33 - 1), b"z"),
    (Member("long link", MemberKind.SYMLINK, link="t" * 150), b""),
    (Member("ümlaut link", MemberKind.SYMLINK, link="ü"), b""),
]


@pytest.mark.parametrize("compress", [False, True])
def test_what_is_written_is_read(compress: bool) -> None:
    found = read(written(MEMBERS, compress=compress), WITH_LINKS)
    assert found == MEMBERS


@pytest.mark.parametrize("compress", [False, True])
def test_tarfile_reads_the_same(compress: bool) -> None:
    found = by_tarfile(written(MEMBERS, compress=compress))
    assert [(info.name, info.size, info.mode, info.mtime, info.linkname, data) for info, data in found] == [
        (member.name, member.size, member.mode, member.mtime, member.link, data) for member, data in MEMBERS
    ]
    assert {(info.uid, info.gid, info.uname, info.gname) for info, _ in found} == {(0, 0, "", "")}


@pytest.mark.parametrize("compress", [False, True])
def test_the_same_members_make_the_same_bytes(compress: bool) -> None:
    assert written(MEMBERS, compress=compress) == written(MEMBERS, compress=compress)


def test_a_compressed_archive_is_one_gzip_member_without_a_date() -> None:
    made = written(MEMBERS, compress=True)
    assert made[:8] == b"\x1f\x8b\x08\0\0\0\0\0"
    assert gzip.decompress(made) == written(MEMBERS)


def test_special_bits_and_odd_times_are_not_written() -> None:
    sent = Member("a", MemberKind.FILE, 0, 0o106755, -5)
    later = Member("b", MemberKind.FILE, 0, 0o644, 2**40)
    ((first, _), (second, _)) = read(written([(sent, b""), (later, b"")]))
    assert (first.mode, first.mtime, second.mtime) == (0o755, 0, 2**33 - 1)


def test_a_size_beyond_the_header_travels_in_pax() -> None:
    made = ArchiveWriter(HUGE).member(Member("huge", MemberKind.FILE, 2**33))
    assert b" size=8589934592\n" in made
    limit = ArchiveWriter(HUGE).member(Member("large", MemberKind.FILE, 2**33 - 1))
    assert len(limit) == 512


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (Member("../a", "file"), "parent"),
        (Member("/a", "file"), "absolute"),
        (Member("", "directory"), "bad_name"),
        (Member(".", "directory"), "bad_name"),
        (Member("a/", "directory"), "bad_name"),
        (Member("a//b", "file"), "bad_name"),
        (Member("a", "fifo"), "bad_name"),
        (Member("a\0b", "file"), "nul"),
        (Member("caf\udce9", "file"), "not_utf8"),
        (Member("n" * 256, "file"), "name_too_long"),
        (Member("/".join("a" * 65), "file"), "too_deep"),
        (Member("a", "file", -1), "bad_size"),
        (Member("a", "directory", 1), "bad_size"),
        (Member("a", "symlink", 1, link="b"), "bad_size"),
        (Member("a", "symlink"), "link_escape"),
        (Member("a", "symlink", link="../b"), "link_escape"),
        (Member("a", "symlink", link="/etc"), "link_escape"),
        (Member("a", "symlink", link="\udcff"), "not_utf8"),
    ],
)
def test_what_a_reader_would_refuse_is_not_written(member: Member, reason: str) -> None:
    writer = ArchiveWriter()
    with pytest.raises(ArchiveError) as refused:
        writer.member(member)
    assert refused.value.reason == reason
    assert read(writer.finish()) == []


def test_links_are_written_only_where_rules_allow() -> None:
    with pytest.raises(ArchiveError) as refused:
        ArchiveWriter(ArchiveRules()).member(Member("a", "symlink", link="b"))
    assert refused.value.reason == "symlink"


def test_contents_must_have_the_announced_size() -> None:
    writer = ArchiveWriter()
    writer.member(Member("a", MemberKind.FILE, 3))
    with pytest.raises(ArchiveError, match="4 bytes are more than the 3 announced"):
        writer.data(b"abcd")
    writer.data(b"a")
    assert writer.remaining == 2
    with pytest.raises(ArchiveError, match="2 bytes of the current file are missing"):
        writer.end_member()


def test_calls_out_of_order_are_a_bug() -> None:
    writer = ArchiveWriter()
    for early in (writer.end_member, lambda: writer.data(b"")):
        with pytest.raises(RuntimeError, match="for each member"):
            early()
    writer.member(Member("a", MemberKind.FILE))
    for late in (writer.finish, lambda: writer.member(Member("b", MemberKind.FILE))):
        with pytest.raises(RuntimeError, match="for each member"):
            late()


@pytest.mark.parametrize("length", range(80, 130))
def test_records_of_every_length_count_their_own_digits(length: int) -> None:
    member = Member("/".join(["ä" * 40] * 3)[:length] + "é", MemberKind.FILE)
    assert read(written([(member, b"")])) == [(member, b"")]


_TEXT = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=60
)
_PART = _TEXT.filter(lambda text: text not in (".", ".."))
_NAME = st.lists(_PART, min_size=1, max_size=4).map("/".join)


@st.composite
def _members(draw: st.DrawFn) -> List[Tuple[Member, bytes]]:
    made = []
    for index, name in enumerate(draw(st.lists(_NAME, max_size=5))):
        kind = draw(st.sampled_from([MemberKind.FILE, MemberKind.DIRECTORY, MemberKind.SYMLINK]))
        data = draw(st.binary(max_size=1200)) if kind == MemberKind.FILE else b""
        link: Optional[str] = draw(_NAME) if kind == MemberKind.SYMLINK else None
        mode, mtime = draw(st.integers(0, 0o777)), draw(st.integers(0, 2**33 - 1))
        made.append((Member(f"{index}/{name}", kind, len(data), mode, mtime, link or ""), data))
    return made


@given(_members(), st.booleans(), st.integers(1, 3000))
def test_any_members_return_as_they_were(
    members: List[Tuple[Member, bytes]], compress: bool, step: int
) -> None:
    made = written(members, compress=compress)
    assert read(made, WITH_LINKS, step) == members


@given(_members())
def test_any_members_are_the_same_to_tarfile(members: List[Tuple[Member, bytes]]) -> None:
    found = by_tarfile(written(members))
    assert [(info.name, info.linkname, info.size, data) for info, data in found] == [
        (member.name, member.link, member.size, data) for member, data in members
    ]
