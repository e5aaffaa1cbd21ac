"""Archives damaged by chance or on purpose (THREATS.md Z10), and blocks at random."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import struct
from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.wire.archive import ArchiveError, ArchiveRules
from tests.base.wire.blocks import (
    END,
    GNU,
    by_tarfile,
    directory,
    file,
    header,
    long_name,
    padded,
    pax,
    read,
    refusal,
    symlink,
)

WITH_LINKS = ArchiveRules(allow_symlinks=True)


WHOLE = file(b"a", b"contents") + file(b"b", bytes(range(256)) * 9) + END


@pytest.mark.parametrize("cut", [0, 1, 2, 511, 512, 513, 520, 1024, 1536, len(WHOLE) - 513, len(WHOLE) - 1])
def test_z10_a_truncated_archive_is_refused(cut: int) -> None:
    assert refusal(WHOLE[:cut]) == "truncated"


def test_z10_a_truncated_gzip_is_refused_wherever_it_is_cut() -> None:
    data = gzip.compress(WHOLE)
    for cut in range(1, len(data)):
        assert refusal(data[:cut]) == "truncated"


def test_z10_gzip_damaged_anywhere_is_never_accepted_as_something_else() -> None:
    data = gzip.compress(WHOLE)
    whole = read(data)
    for place, bit in itertools.product(range(len(data)), (1, 128)):
        damaged = bytearray(data)
        damaged[place] ^= bit
        # A date, or bits between the deflate stream and its checksum, may differ and mean the same.
        with contextlib.suppress(ArchiveError):
            assert read(bytes(damaged)) == whole


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(WHOLE)[:-8] + bytes(8), "corrupt"),
        (b"\x1f\x8b\x00" + bytes(40), "corrupt"),
        (b"PK\x03\x04" + bytes(2000), "bad_checksum"),
        (b"BZh91AY&SY" + bytes(2000), "bad_checksum"),
        (b"\xfd7zXZ\0" + bytes(2000), "bad_checksum"),
        (b"\x28\xb5\x2f\xfd" + bytes(2000), "bad_checksum"),
        (b"#!/bin/sh\n" + b"#" * 600, "bad_header"),
        (header(magic=bytes(8)) + END, "bad_header"),
        (header(magic=b"ustar\x0011") + END, "bad_header"),
        (header(checksum=b"000000\0 ") + END, "bad_checksum"),
        (header(mode=b"rwxr-xr-") + END, "bad_header"),
        (header(size=b"0000000008\0\0") + END, "bad_header"),
        (header(size=b"00000 00001\0") + END, "bad_header"),
        (header(size=b"-0000000001\0") + END, "bad_header"),
        (header(size=b"\xff" * 12) + END, "bad_size"),
        (header(b"", b"0") + END, "bad_name"),
        (header(b".", b"0") + END, "bad_name"),
        (header(b"a/", b"0") + END, "bad_name"),
        (header(b"a/.", b"0") + END, "bad_name"),
        (header(b"a/", b"\0") + END, "bad_name"),
        (header(b"a", b"5", 512) + bytes(512) + END, "bad_size"),
    ],
)
def test_z10_damage_and_wrong_formats_are_refused(data: bytes, reason: str) -> None:
    assert refusal(data) == reason


def test_z10_every_damaged_header_byte_is_noticed() -> None:
    for place in range(512):
        damaged = bytearray(WHOLE)
        damaged[place] ^= 0x01
        # The checksum's own terminators may differ and mean the same.
        with contextlib.suppress(ArchiveError):
            assert read(bytes(damaged)) == read(WHOLE)


@pytest.mark.parametrize(
    "data",
    [
        file(b"a") + END + b"garbage",
        file(b"a") + bytes(512) + file(b"b") + END,
        file(b"a") + END + file(b"b") + END,
        file(b"a") + END + bytes(2**20 + 1),
        gzip.compress(file(b"a") + END) + b"x",
        gzip.compress(file(b"a") + END) + bytes(100) + b"x",
        gzip.compress(file(b"a") + END) + gzip.compress(b""),
        gzip.compress(file(b"a") + END + b"x"),
    ],
)
def test_z10_garbage_after_the_end_is_refused(data: bytes) -> None:
    assert refusal(data) == "trailing"


@given(st.binary(max_size=3000), st.booleans())
def test_any_bytes_are_an_archive_or_an_archive_error(data: bytes, zipped: bool) -> None:
    with contextlib.suppress(ArchiveError):
        read(gzip.compress(data) if zipped else data)


_PIECES = st.one_of(
    st.builds(
        header,
        st.binary(max_size=100),
        st.sampled_from([b"0", b"1", b"2", b"5", b"L", b"K", b"x", b"g", b"S", b"\0"]),
        st.integers(0, 1500) | st.binary(min_size=12, max_size=12),
        mode=st.binary(min_size=8, max_size=8) | st.just(0o644),
        mtime=st.binary(min_size=12, max_size=12) | st.just(0),
        link=st.binary(max_size=100),
        prefix=st.binary(max_size=155),
        magic=st.sampled_from([b"ustar\x0000", GNU]),
    ),
    st.binary(max_size=1024).map(padded),
    st.dictionaries(
        st.sampled_from([b"path", b"size", b"mtime", b"linkpath"]) | st.binary(max_size=9),
        st.binary(max_size=30),
    ).map(pax),
    st.just(bytes(512)),
)


def _verdict(data: bytes, step: int) -> str:
    try:
        return repr(read(data, WITH_LINKS, step))
    except ArchiveError as error:
        return error.reason


@given(st.lists(_PIECES, max_size=8), st.integers(1, 2000))
def test_any_blocks_are_judged_alike_however_they_are_cut(pieces: List[bytes], step: int) -> None:
    data = b"".join(pieces)
    assert _verdict(data, step) == _verdict(data, 1 << 30)


@given(st.binary(max_size=400), st.integers(0, 2**32 - 1), st.integers(0, 200))
def test_damaged_deflate_is_an_archive_error(noise: bytes, number: int, place: int) -> None:
    data = gzip.compress(WHOLE)
    place %= len(data) - 4
    damaged = data[: place + 10] + struct.pack("<I", number) + noise
    with contextlib.suppress(ArchiveError):
        read(damaged)


_NAMES = st.text("ab./", min_size=1, max_size=6).map(str.encode)
_CONTENTS = st.binary(max_size=600)
_HONEST = st.one_of(
    st.builds(file, _NAMES, _CONTENTS),
    st.builds(directory, _NAMES),
    st.builds(symlink, _NAMES, _NAMES),
    st.builds(lambda path, data: pax({b"path": path}) + file(b"cut", data), _NAMES, _CONTENTS),
    st.builds(lambda path, data: long_name(path) + file(b"cut", data), _NAMES, _CONTENTS),
    st.builds(lambda name, prefix: header(name, prefix=prefix), _NAMES, _NAMES),
    st.builds(lambda data: pax({b"size": b"%d" % len(data)}) + file(b"sized", data), _CONTENTS),
    st.just(pax({b"comment": b"x"}, b"g")),
    # An archive as contents: a reader that believes another size sees these members too.
    st.builds(lambda inner: file(b"inner", file(inner) + END), _NAMES),
)


@given(st.lists(_HONEST, max_size=6))
def test_what_is_accepted_tarfile_reads_alike(pieces: List[bytes]) -> None:
    # tarfile takes an archive of global records alone for damaged, hence a last member.
    data = b"".join(pieces) + file(b"last") + END
    with contextlib.suppress(ArchiveError):
        ours = [(member.name, member.link, contents) for member, contents in read(data, WITH_LINKS)]
        theirs = [(_plain(info.name), info.linkname, contents) for info, contents in by_tarfile(data)]
        assert ours == [member for member in theirs if member[0]]


def _plain(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))
