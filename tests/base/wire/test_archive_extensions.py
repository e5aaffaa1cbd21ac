"""Header extensions and names that readers disagree about (THREATS.md Z12 to Z14)."""

from __future__ import annotations

import io
import tarfile

import pytest

from sandlot.wire.archive import ArchiveError, ArchiveRules
from tests.base.wire.blocks import (
    END,
    GNU,
    directory,
    file,
    header,
    long_name,
    padded,
    pax,
    read,
    record,
    refusal,
    symlink,
)

WITH_LINKS = ArchiveRules(allow_symlinks=True)


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_z12_an_extension_of_a_megabyte_is_refused_unread(kind: bytes) -> None:
    assert refusal(header(b"long", kind, 2**20)) == "bad_extension"


@pytest.mark.parametrize("name", [b"n" * 256, b"d/" + b"n" * 256, b"/".join([b"n" * 200] * 21)])
def test_z12_names_no_file_system_takes_are_refused(name: bytes) -> None:
    assert refusal(pax({b"path": name}) + file(b"x") + END) == "name_too_long"
    assert refusal(long_name(name) + file(b"x") + END) == "name_too_long"
    link = pax({b"linkpath": name}) + symlink(b"x", b"y")
    assert refusal(link + END, WITH_LINKS) == "name_too_long"


@pytest.mark.parametrize(
    ("announced", "contents"),
    [(b"0", b"abc"), (b"512", b"abc"), (b"4", b"abc"), (b"3", b""), (b"8589934592", b"abc")],
)
def test_z12_two_sizes_are_refused(announced: bytes, contents: bytes) -> None:
    # CVE-2025-62518: a reader that believed the other size saw members hidden in the contents.
    assert refusal(pax({b"size": announced}) + file(b"a", contents) + END) == "bad_size"


@pytest.mark.parametrize(
    "body",
    [
        b"6 path=x\n",
        b"99 path=x\n",
        b"8 path=x\n",
        b"-9 path=x\n",
        b"09 path=x\n",
        b"011 path=x\n",
        b"0 path=x\n",
        b" path=x\n",
        b"path=x\n",
        b"999999999 path=x\n",
        b"7 path\n",
        b"5 =x\n",
        b"9 path=xy",
        b"\xff path=x\n",
        record(b"path", b"x") + b"\0",
        record(b"path", b"x") * 2,
        record(b"size", b"0x3"),
        record(b"size", b""),
        record(b"size", b"9" * 21),
        record(b"mtime", b"1e9"),
        record(b"mtime", b"."),
        record(b"mtime", b"1.2.3"),
        record(b"mtime", b"nan"),
        record(b"mtime", b"+1"),
        record(b"mtime", b"--1"),
    ],
)
def test_z12_malformed_records_are_refused(body: bytes) -> None:
    assert refusal(file(b"pax", body, b"x") + file(b"a") + END) == "bad_extension"


@pytest.mark.parametrize(
    "data",
    [
        long_name(b"n") + long_name(b"m") + file(b"a"),
        long_name(b"n") + pax({b"path": b"m"}) + file(b"a"),
        pax({b"path": b"m"}) + long_name(b"n") + file(b"a"),
        pax({b"mtime": b"1"}) + pax({b"comment": b"m"}) + file(b"a"),
        long_name(b"n", b"K") + pax({b"linkpath": b"m"}) + file(b"a"),
        header(b"long", b"L", 0) + file(b"a"),
        header(b"long", b"L", 3) + padded(bytes(3)) + file(b"a"),
        pax({b"path": b"m"}, b"g") + file(b"a"),
        pax({b"size": b"1"}, b"g") + file(b"a"),
        pax({b"linkpath": b"m"}, b"g") + file(b"a"),
        pax({b"GNU.sparse.major": b"1"}, b"g") + file(b"a"),
        file(b"a") + pax({b"path": b"m"}),
        long_name(b"n"),
    ],
)
def test_z12_names_given_twice_or_for_nobody_are_refused(data: bytes) -> None:
    assert refusal(data + END) == "bad_extension"


@pytest.mark.parametrize(
    "name", [b"\xff", b"caf\xe9", b"\xed\xa0\x80", b"\xc0\xaf", b"a/\xf8\x88\x80\x80\x80"]
)
def test_z13_names_that_are_not_utf8_are_refused(name: bytes) -> None:
    assert refusal(file(name) + END) == "not_utf8"
    assert refusal(directory(name) + END) == "not_utf8"
    assert refusal(pax({b"path": name}) + file(b"x") + END) == "not_utf8"
    assert refusal(long_name(name) + file(b"x") + END) == "not_utf8"
    assert refusal(symlink(b"x", name) + END, WITH_LINKS) == "not_utf8"


def test_z13_names_in_another_character_set_are_refused() -> None:
    assert refusal(pax({b"hdrcharset": b"BINARY", b"path": b"caf\xe9"}) + file(b"x") + END) == "not_utf8"
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("caf\udce9"))
    assert refusal(target.getvalue()) == "not_utf8"


def test_z13_names_with_a_nul_are_refused() -> None:
    assert refusal(pax({b"path": b"ok\0/../x"}) + file(b"x") + END) == "nul"
    assert refusal(long_name(b"ok\0x") + file(b"x") + END) == "nul"
    assert refusal(pax({b"linkpath": b"a\0b"}) + symlink(b"x", b"y") + END, WITH_LINKS) == "nul"


@pytest.mark.parametrize(
    "data",
    [
        header(b"a", b"S", 512, magic=GNU) + bytes(512),
        pax({b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0"}) + file(b"a", bytes(512)),
        pax({b"GNU.sparse.size": b"1099511627776", b"GNU.sparse.map": b"0,1"}) + file(b"a", b"x"),
        pax({b"SCHILY.realsize": b"1099511627776"}) + file(b"a", b"x"),
        pax({b"SCHILY.filetype": b"sparse"}) + file(b"a", b"x"),
    ],
)
def test_z14_sparse_members_are_refused(data: bytes) -> None:
    assert refusal(data + END) == "sparse"


def test_a18_names_in_messages_are_escaped_and_short() -> None:
    for name in (b"../\x1b[31m\nforged line", b"../" + b"n" * 4000):
        with pytest.raises(ArchiveError) as refused:
            read(pax({b"path": name}) + file(b"x") + END)
        assert "\x1b" not in str(refused.value)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 250
