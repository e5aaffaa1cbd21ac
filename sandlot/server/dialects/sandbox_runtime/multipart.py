"""multipart/form-data (RFC 7578), read piece by piece: nothing but the headers of a part is collected."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote

from sandlot.contracts.errors import InvalidSpec

_BOUNDARY = re.compile(
    r'multipart/form-data\s*;.*?\bboundary=("?)([^"\s;,]{1,70})\1', re.IGNORECASE | re.DOTALL
)
_PARAMETER = re.compile(r';\s*(name|filename\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]*))', re.IGNORECASE)
_DISPOSITION = re.compile(rb"(?:^|\r\n)content-disposition:[ \t]*form-data([^\r\n]*)", re.IGNORECASE)
_MOST_HEADERS = 8192
_MOST_PARTS = 100
_LINE = b"\r\n"
_HEADERS_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Part:
    """What one part says of itself; a part without a name is nobody's."""

    name: str
    filename: str


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type tells. Raises InvalidSpec when it is no form."""
    found = _BOUNDARY.match(content_type.strip()[:1000])
    if found is None:
        raise InvalidSpec("the body must be multipart/form-data with a boundary and a part named file")
    return found[2].encode("latin-1")


def part_from(headers: bytes) -> Part:
    """What the *headers* of a part tell. Escapes in the name of a file are undone: clients write them."""
    found = _DISPOSITION.search(headers)
    told = {} if found is None else _parameters(found[1].decode("utf-8", "replace"))
    name = told.get("filename*", "").rpartition("''")[2] or told.get("filename", "")
    return Part(told.get("name", ""), unquote(name, errors="replace"))


class Form:
    """The parts of one body, one after the other. Raises InvalidSpec where it breaks off or is no form."""

    def __init__(self, pieces: AsyncIterator[bytes], boundary: bytes) -> None:
        """Read from *pieces* as wanted."""
        self._pieces = pieces
        self._delimiter = b"\r\n--" + boundary
        self._buffer = b"\r\n"  # the first boundary may begin the body

    async def find(self, name: str) -> Part | None:
        """The next part called *name*; its `content` is read next. None after the last part."""
        for _ in range(_MOST_PARTS):
            async for _skipped in self.content():
                continue
            if await self._take(2) == b"--":
                return None
            part = part_from(await self._headers())
            if part.name == name:
                return part
        raise InvalidSpec(f"the form has more than {_MOST_PARTS} parts: send the file alone")

    async def content(self) -> AsyncIterator[bytes]:
        """The content of the part that was found; to be read to its end."""
        keep = len(self._delimiter) - 1
        while (end := self._buffer.find(self._delimiter)) < 0:
            whole, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
            if whole:
                yield whole
            await self._fill()
        last, self._buffer = self._buffer[:end], self._buffer[end + len(self._delimiter) :]
        if last:
            yield last

    async def _headers(self) -> bytes:
        # Put back, so that a part without headers ends them as any other does.
        self._buffer = _LINE + self._buffer
        while (end := self._buffer.find(_HEADERS_END)) < 0:
            if len(self._buffer) > _MOST_HEADERS:
                raise InvalidSpec(f"the headers of a part are longer than {_MOST_HEADERS} bytes")
            await self._fill()
        found, self._buffer = self._buffer[:end], self._buffer[end + len(_HEADERS_END) :]
        return found

    async def _take(self, length: int) -> bytes:
        while len(self._buffer) < length:
            await self._fill()
        found, self._buffer = self._buffer[:length], self._buffer[length:]
        return found

    async def _fill(self) -> None:
        piece = await anext(self._pieces, None)
        if piece is None:
            raise InvalidSpec("the form breaks off: its last boundary is missing")
        self._buffer += piece


def _parameters(text: str) -> dict[str, str]:
    return {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare
        for name, quoted, bare in _PARAMETER.findall(text)
    }
