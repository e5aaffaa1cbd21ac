from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from sandlot.testing import tars
from sandlot.wire.archive import ArchiveError, ArchiveReader, ArchiveRules

TREE = {"a": b"1", "dir/b": b"2" * 3000, "é 漢/c": b""}


def read(data: bytes, rules: ArchiveRules | None = None) -> int:
    reader = ArchiveReader(rules or ArchiveRules())
    count = sum(1 for start in range(0, len(data), 700) for _ in reader.feed(data[start : start + 700]))
    reader.finish()
    return count


def test_an_honest_archive_is_one_to_the_library() -> None:
    with tarfile.open(fileobj=io.BytesIO(tars.plain("a", "b/c"))) as opened:
        assert opened.getnames() == ["a", "b/c"]


@pytest.mark.parametrize(
    "data", [tars.plain("a", "b/c"), tars.honest_by_library(TREE), gzip.compress(tars.plain("a"))]
)
def test_honest_archives_are_taken(data: bytes) -> None:
    assert read(data) > 0


@pytest.mark.parametrize(
    ("case", "name", "data"),
    [(case, name, data) for case, found in tars.REFUSED.items() for name, data in found],
)
def test_each_hostile_archive_is_refused(case: str, name: str, data: bytes) -> None:
    with pytest.raises(ArchiveError):
        read(data)
    assert case.startswith("Z")
    assert name


@pytest.mark.parametrize("case", ["Z01", "Z02", "Z03", "Z04", "Z05", "Z06"])
def test_the_escaping_ones_are_well_formed(case: str) -> None:
    for _, data in tars.REFUSED[case]:
        with tarfile.open(fileobj=io.BytesIO(data)) as opened:
            assert opened.getmembers()


def test_a_bomb_is_small_and_says_what_it_holds() -> None:
    data = b"".join(tars.zeros_bomb(8 * 2**20))
    assert len(data) < 2**15
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        assert opened.getmember("zeros").size == 8 * 2**20


def test_many_members_come_in_pieces() -> None:
    pieces = list(tars.many(5000))
    assert len(pieces) == 4
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as opened:
        assert len(opened.getnames()) == 5000
