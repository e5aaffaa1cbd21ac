"""Hostile archives, made byte by byte: no library would write most of them. Pure."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

BLOCK = 512


@dataclass(frozen=True)
class Entry:
    """One member as its header says it, truthful or not."""

    name: bytes
    kind: bytes = b"0"
    data: bytes = b""
    link: bytes = b""
    mode: int = 0o644
    mtime: bytes = b"00000000000\0"
    size: int | None = None
    uid: int = 0


def header(entry: Entry) -> bytes:
    """The block of *entry*, ustar, with a right checksum."""
    size = len(entry.data) if entry.size is None else entry.size
    block = bytearray(BLOCK)
    struct.pack_into(
        "100s8s8s8s12s12s8s1s100s6s2s",
        block,
        0,
        entry.name[:100],
        b"%07o\0" % entry.mode,
        b"%07o\0" % entry.uid,
        b"%07o\0" % entry.uid,
        _octal(size),
        entry.mtime,
        b" " * 8,
        entry.kind,
        entry.link[:100],
        b"ustar\0",
        b"00",
    )
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _octal(size: int) -> bytes:
    if size < 8**11:
        return b"%011o\0" % size
    return b"\x80" + size.to_bytes(11, "big")  # the base-256 form of GNU tar


def padded(data: bytes) -> bytes:
    """*data* up to a whole number of blocks."""
    return data + bytes(-len(data) % BLOCK)


def member(entry: Entry) -> bytes:
    """Header and contents."""
    return header(entry) + padded(entry.data)


def archive(*entries: Entry) -> bytes:
    """A whole archive with its two empty blocks."""
    return b"".join(map(member, entries)) + bytes(2 * BLOCK)


def pax(records: dict[str, bytes], kind: bytes = b"x") -> bytes:
    """An extended header of *records*."""
    body = b""
    for key, value in records.items():
        rest = b" " + key.encode() + b"=" + value + b"\n"
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length = len(str(length)) + len(rest)
        body += str(length).encode() + rest
    return member(Entry(b"pax", kind, body))


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    """The GNU form of a long name (L) or link (K)."""
    return member(Entry(b"././@LongLink", kind, name + b"\0"))


def plain(*names: str) -> bytes:
    """An honest archive of small files."""
    return archive(*(Entry(name.encode(), data=b"honest") for name in names))


def _file(name: bytes) -> Entry:
    return Entry(name, data=b"escaped")


def _end() -> bytes:
    return bytes(2 * BLOCK)


def link_chain() -> bytes:
    """Nested directories and links whose resolved path outgrows PATH_MAX (CVE-2025-4517)."""
    entries = []
    step = b"d" * 55
    path = b""
    for letter in b"abcdefghijklmnop":
        entries.append(Entry(path + step, b"5", mode=0o755))
        entries.append(Entry(path + bytes([letter]), b"2", link=step))
        path += bytes([letter]) + b"/"
    entries.append(Entry(path + b"l" * 50, b"2", link=b"../" * 16))
    entries.append(Entry(b"escape", b"2", link=path + b"l" * 50 + b"/../outside"))
    entries.append(_file(b"escape/file"))
    return archive(*entries)


def zeros_bomb(size: int) -> Iterator[bytes]:
    """A gzip stream of one member of *size* zeros, whole MiB, piece by piece, without holding it.

    Compressed once: behind a full flush of zlib nothing refers to what was before.
    """
    first, zeros = header(Entry(b"zeros", size=size)), bytes(2**20)
    packed, checksum = _deflated(zeros), zlib.crc32(first)
    yield b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + _deflated(first)  # RFC 1952, section 2.3
    for _ in range(0, size, len(zeros)):
        checksum = zlib.crc32(zeros, checksum)
        yield packed
    length = len(first) + size + len(_end())
    yield _deflated(_end(), zlib.Z_FINISH) + struct.pack("<II", zlib.crc32(_end(), checksum), length % 2**32)


def _deflated(data: bytes, flush: int = zlib.Z_FULL_FLUSH) -> bytes:
    packing = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return packing.compress(data) + packing.flush(flush)


def many(count: int) -> Iterator[bytes]:
    """*count* empty members, a few thousand at a time; 10,000,000 at most."""
    blank = header(Entry(b"many/0000000"))
    before, between, after = blank[:5], blank[12:148], blank[156:]
    rest = sum(before) + sum(between) + sum(after) + 8 * ord(" ")
    for start in range(0, count, 2000):
        names = (b"%07d" % number for number in range(start, min(start + 2000, count)))
        yield b"".join(
            b"%b%b%b%06o\0 %b" % (before, name, between, rest + sum(name), after) for name in names
        )
    yield _end()


def honest_by_library(names: dict[str, bytes]) -> bytes:
    """What the standard library writes: a check that the rules do not refuse everything."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", format=tarfile.PAX_FORMAT) as opened:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return target.getvalue()


REFUSED: dict[str, tuple[tuple[str, bytes], ...]] = {
    "Z01": (
        ("parent", archive(_file(b"../escaped"))),
        ("parent deep", archive(_file(b"a/b/../../../escaped"))),
        ("parent as directory", archive(Entry(b"..", b"5", mode=0o755))),
        ("parent at the end", archive(_file(b"a/.."))),
    ),
    "Z02": (("absolute", archive(_file(b"/tmp/escaped"))), ("twice", archive(_file(b"//tmp/escaped")))),
    "Z03": (
        ("link, then through it", archive(Entry(b"l", b"2", link=b"/tmp"), _file(b"l/escaped"))),
        ("relative link, then through it", archive(Entry(b"l", b"2", link=b"../.."), _file(b"l/escaped"))),
        ("link replaced by a file", archive(Entry(b"l", b"2", link=b"/tmp/escaped"), _file(b"l"))),
    ),
    "Z04": (
        ("hard link out", archive(Entry(b"h", b"1", link=b"/etc/passwd"))),
        ("hard link up", archive(Entry(b"h", b"1", link=b"../../etc/passwd"), _file(b"h"))),
        (
            "hard link through a link",
            archive(Entry(b"l", b"2", link=b"/etc"), Entry(b"h", b"1", link=b"l/passwd")),
        ),
    ),
    "Z05": (("link chain", link_chain()),),
    "Z06": (
        ("FIFO", archive(Entry(b"f", b"6"))),
        ("character device", archive(Entry(b"c", b"3"))),
        ("block device", archive(Entry(b"b", b"4"))),
        ("unknown kind", archive(Entry(b"u", b"Z"))),
    ),
    "Z10": (
        ("cut in a header", plain("a", "b")[: 2 * BLOCK + 100]),
        ("cut in contents", member(Entry(b"a", data=b"x" * 5000))[:2000]),
        ("no end", member(_file(b"a"))),
        ("wrong checksum", plain("a")[:148] + b"0000000\0" + plain("a")[156:]),
        ("trailing garbage", plain("a") + b"garbage" * 200),
        ("second archive", plain("a") + plain("b")),
        ("no archive", b"this is no archive" * 100),
        ("nothing", b""),
        ("corrupt gzip", gzip.compress(plain("a"))[:-12] + b"corruption!!"),
        ("cut gzip", gzip.compress(plain("a"))[:40]),
        ("garbage after gzip", gzip.compress(plain("a")) + b"garbage"),
    ),
    "Z11": (
        ("twice the same file", archive(_file(b"a"), _file(b"a"))),
        ("same by another name", archive(_file(b"a/b"), _file(b"a//b"))),
        ("file, then directory", archive(_file(b"a"), _file(b"a/b"))),
        ("directory, then file", archive(Entry(b"a", b"5"), _file(b"a"))),
        ("dot", archive(_file(b"./a"), _file(b"a"))),
    ),
    "Z12": (
        ("name of 1 MB", pax({"path": b"x" * 2**20}) + archive(_file(b"a"))),
        ("GNU name of 1 MB", long_name(b"x" * 2**20) + archive(_file(b"a"))),
        ("size by PAX, larger", pax({"size": b"99999999"}) + archive(_file(b"a"))),
        ("size by PAX, negative", pax({"size": b"-1"}) + archive(_file(b"a"))),
        ("path by PAX, out", pax({"path": b"../escaped"}) + archive(_file(b"a"))),
        ("path by GNU, out", long_name(b"/tmp/escaped") + archive(_file(b"a"))),
        ("link by PAX", pax({"linkpath": b"/etc/passwd"}) + archive(Entry(b"l", b"2", link=b"a"))),
        ("broken PAX", member(Entry(b"p", b"x", b"99 nonsense")) + plain("a")),
    ),
    "Z13": (
        ("not UTF-8", archive(_file(b"bad\xff\xfename"))),
        ("surrogate by PAX", pax({"path": b"\xed\xb2\x80"}) + archive(_file(b"a"))),
        ("NUL by PAX", pax({"path": b"a\0b"}) + archive(_file(b"a"))),
    ),
    "Z14": (
        ("GNU sparse", archive(Entry(b"s", b"S", size=0))),
        ("PAX sparse", pax({"GNU.sparse.major": b"1", "GNU.sparse.realsize": b"1099511627776"}) + plain("s")),
    ),
}
"""What must be refused whole, by case."""
