"""Archives made by hand, block by block, as an attacker makes them; and the ways tests read them."""

from __future__ import annotations

import io
import tarfile
from typing import Dict, List, Optional, Tuple, Union

import pytest

from sandlot.wire.archive import (
    ArchiveError,
    ArchiveReader,
    ArchiveRules,
    Chunk,
    Member,
    MemberEnd,
)

END = bytes(1024)
POSIX, GNU = b"ustar\x0000", b"ustar  \0"


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def header(
    name: bytes = b"file",
    kind: bytes = b"0",
    size: Union[int, bytes] = 0,
    *,
    mode: Union[int, bytes] = 0o644,
    mtime: Union[int, bytes] = 0,
    link: bytes = b"",
    magic: bytes = POSIX,
    prefix: bytes = b"",
    checksum: Optional[bytes] = None,
) -> bytes:
    def number(value: Union[int, bytes], width: int) -> bytes:
        return value if isinstance(value, bytes) else b"%0*o\0" % (width - 1, value)

    start = name.ljust(100, b"\0") + number(mode, 8) + number(1000, 8) * 2
    start += number(size, 12) + number(mtime, 12)
    rest = kind + link.ljust(100, b"\0") + magic + bytes(80) + prefix.ljust(155, b"\0") + bytes(12)
    counted = checksum or b"%06o\0 " % (sum(start) + sum(rest) + 8 * 32)
    block = start + counted + rest
    assert len(block) == 512
    return block


def file(name: bytes, data: bytes = b"", kind: bytes = b"0") -> bytes:
    return header(name, kind, len(data)) + padded(data)


def directory(name: bytes) -> bytes:
    return header(name, b"5", mode=0o755)


def symlink(name: bytes, target: bytes) -> bytes:
    return header(name, b"2", link=target)


def record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d" % length + rest


def pax(records: Dict[bytes, bytes], kind: bytes = b"x") -> bytes:
    return file(b"././@PaxHeader", b"".join(record(*pair) for pair in records.items()), kind)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    body = name + b"\0"
    return header(b"././@LongLink", kind, len(body), magic=GNU) + padded(body)


def read(
    data: bytes, rules: Optional[ArchiveRules] = None, step: int = 1 << 30
) -> List[Tuple[Member, bytes]]:
    """Members and contents, the archive fed in pieces of `step` bytes."""
    reader = ArchiveReader(rules)
    members: List[Tuple[Member, bytes]] = []
    current: Optional[Member] = None
    contents = b""
    for start in range(0, len(data), step):
        for event in reader.feed(data[start : start + step]):
            if isinstance(event, Member):
                assert current is None
                current, contents = event, b""
            elif isinstance(event, Chunk):
                assert current is not None
                assert 0 < len(event.data) <= 65536
                contents += event.data
            else:
                assert event == MemberEnd()
                assert current is not None
                assert len(contents) == current.size
                members.append((current, contents))
                current = None
    reader.finish()
    assert current is None
    return members


def names(data: bytes, rules: Optional[ArchiveRules] = None) -> List[str]:
    return [member.name for member, _ in read(data, rules)]


def refusal(data: bytes, rules: Optional[ArchiveRules] = None) -> str:
    """The reason for which the archive is refused, the same at once and byte by byte or nearly so."""
    reasons = set()
    for step in (1 << 30, 509 if len(data) > 20_000 else 1):
        with pytest.raises(ArchiveError) as refused:
            read(data, rules, step)
        reasons.add(refused.value.reason)
    (reason,) = reasons
    return reason


def by_tarfile(data: bytes) -> List[Tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        opened = [(info, archive.extractfile(info) if info.isreg() else None) for info in archive]
        return [(info, source.read() if source else b"") for info, source in opened]
