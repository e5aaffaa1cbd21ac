"""Parts of a file that a request asks for (RFC 9110, section 14; pure)."""

from __future__ import annotations

import re
from typing import NamedTuple

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))[ \t]*", re.IGNORECASE)


class ByteRange(NamedTuple):
    """A part of a file: from *begin*, *length* bytes. With a length of 0 it cannot be satisfied."""

    begin: int
    length: int


def byte_range(header: str | None, size: int) -> ByteRange | None:
    """What a Range header asks of a file of *size* bytes; None for all of it.

    A header that is malformed or asks for several ranges is ignored, as RFC 9110, 14.2 allows.
    """
    found = _RANGE.fullmatch(header or "")
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        length = min(int(suffix), size)
        return ByteRange(size - length, length)
    begin, end = int(first), min(int(last) if last else size - 1, size - 1)
    if last and int(last) < begin:
        return None  # malformed, not unsatisfiable (RFC 9110, 14.1.1)
    return ByteRange(begin, max(0, end - begin + 1) if begin < size else 0)


def content_range(part: ByteRange, size: int) -> str:
    """The Content-Range of *part* (RFC 9110, 14.4)."""
    return f"bytes {part.begin}-{part.begin + part.length - 1}/{size}" if part.length else f"bytes */{size}"
