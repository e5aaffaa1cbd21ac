"""Archives that would fill memory, disk or time (THREATS.md Z08, Z09)."""

from __future__ import annotations

import gzip
import zlib
from typing import List

import pytest

from sandlot.wire.archive import ArchiveError, ArchiveReader, ArchiveRules, Member
from tests.base.wire.blocks import (
    END,
    directory,
    file,
    header,
    names,
    pax,
    read,
    refusal,
)

WITH_LINKS = ArchiveRules(allow_symlinks=True)


def test_z08_a_bomb_of_zeros_is_refused_by_its_ratio() -> None:
    size = 2**30
    squeezed = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = squeezed.compress(header(b"zeros", size=size))
    zeros = bytes(2**20)
    bomb += b"".join(squeezed.compress(zeros) for _ in range(100))
    chunks: List[int] = []
    with pytest.raises(ArchiveError) as refused:
        chunks.extend(len(getattr(event, "data", b"")) for event in ArchiveReader().feed(bomb))
    assert refused.value.reason == "expands_too_much"
    assert 0 < sum(chunks) <= 2**25


def test_z08_ten_gigabytes_are_refused_before_they_are_expanded() -> None:
    size = b"\x80" + (10 * 10**9).to_bytes(11, "big")
    assert refusal(gzip.compress(header(b"zeros", size=size))) == "too_big"
    assert refusal(pax({b"size": b"10000000000"}) + header(b"zeros")) == "too_big"


def test_z08_gzip_within_gzip_is_a_file_like_any_other() -> None:
    inner = gzip.compress(bytes(2**20))
    assert read(gzip.compress(file(b"inner.gz", inner) + END))[0][1] == inner


def test_z08_zeros_after_the_end_are_bounded() -> None:
    assert refusal(gzip.compress(END + bytes(2**21))) == "trailing"


def test_z08_sizes_are_bounded_for_one_and_for_all() -> None:
    rules = ArchiveRules(max_member_bytes=100, max_bytes=150)
    assert names(file(b"a", bytes(100)) + file(b"b", bytes(50)) + END, rules) == ["a", "b"]
    assert refusal(file(b"a", bytes(101)) + END, rules) == "too_big"
    assert refusal(file(b"a", bytes(100)) + file(b"b", bytes(51)) + END, rules) == "too_big"
    assert refusal(pax({b"comment": bytes(100)}) + file(b"a", bytes(50)) + END, rules) == "too_big"


def test_z09_members_are_bounded() -> None:
    rules = ArchiveRules(max_members=100)
    many = b"".join(file(b"%d" % number) for number in range(100))
    assert len(read(many + END, rules)) == 100
    assert refusal(many + file(b"last") + END, rules) == "too_many"


def test_z09_a_million_members_are_refused_at_ten_thousand() -> None:
    reader = ArchiveReader()
    seen: List[Member] = []
    million = (event for number in range(10**6) for event in reader.feed(header(b"%d" % number)))
    with pytest.raises(ArchiveError) as refused:
        seen.extend(event for event in million if isinstance(event, Member))
    assert refused.value.reason == "too_many"
    assert len(seen) == 10_000


def test_z09_directories_that_names_imply_are_members_too() -> None:
    rules = ArchiveRules(max_members=4)
    assert names(file(b"a/b/c") + file(b"a/b/d") + END, rules)
    assert refusal(file(b"a/b/c") + file(b"a/b/d") + file(b"a/b/e") + END, rules) == "too_many"
    assert refusal(file(b"a/b/c/d/e") + END, rules) == "too_many"


def test_z09_headers_that_make_no_member_are_bounded() -> None:
    rules = ArchiveRules(max_members=2)
    assert names(directory(b".") * 8 + END, rules) == []
    assert refusal(directory(b".") * 9 + END, rules) == "too_many"
    assert refusal(pax({b"comment": b"x"}, b"g") * 9 + END, rules) == "too_many"


def test_z09_depth_is_bounded() -> None:
    assert names(file(b"/".join([b"d"] * 50)) + END)
    deep = b"/".join([b"d"] * 65)
    assert refusal(pax({b"path": deep}) + file(b"x") + END) == "too_deep"
