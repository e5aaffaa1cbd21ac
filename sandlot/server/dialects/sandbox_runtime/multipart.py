"""multipart/form-data (RFC 7578) as it comes: nothing but the headers of a part is collected."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from sandlot.contracts.errors import InvalidSpec

_LONGEST_BOUNDARY = 70  # RFC 2046, 5.1.1
_MOST_HEADERS, _LONGEST_HEADER = 8, 8192
_MOST_PARTS = 100


@dataclass(frozen=True)
class Part:
    """What one part says of itself; a part without a name is nobody's."""

    name: str
    filename: str


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type tells. Raises InvalidSpec when it is no form."""
    media, options = parse_options_header(content_type[:1000])
    boundary = options.get(b"boundary", b"")
    if media != b"multipart/form-data" or not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise InvalidSpec("the body must be multipart/form-data with a boundary and a part named file")
    return boundary


def part_from(disposition: bytes) -> Part:
    """What a part's Content-Disposition tells. Escapes in a name of a file are undone: clients write them."""
    media, options = parse_options_header(disposition)
    if media != b"form-data":
        return Part("", "")
    name, filename = (options.get(key, b"").decode("utf-8", "replace") for key in (b"name", b"filename"))
    return Part(name, unquote(filename, errors="replace"))


class Form:
    """The parts of one body, one after the other. Raises InvalidSpec where it breaks off or is no form."""

    def __init__(self, pieces: AsyncIterator[bytes], boundary: bytes) -> None:
        """Read from *pieces* as wanted."""
        self._pieces = pieces
        self._found: deque[Part | bytes | None] = deque()  # a part, its content, its end
        self._field, self._value = b"", b""
        self._disposition = b""
        self._is_whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": self._take_field,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_part,
                "on_part_data": self._take_content,
                "on_part_end": lambda: self._found.append(None),
                "on_end": self._end,
            },
            max_header_count=_MOST_HEADERS,
            max_header_size=_LONGEST_HEADER,
        )

    async def find(self, name: str) -> Part | None:
        """The next part called *name*; its `content` is read next. None after the last part."""
        for _ in range(_MOST_PARTS):
            part = await self._next_part()
            if part is None or part.name == name:
                return part
        raise InvalidSpec(f"the form has more than {_MOST_PARTS} parts: send the file alone")

    async def content(self) -> AsyncIterator[bytes]:
        """The content of the part that was found; to be read to its end."""
        while True:
            while not self._found:
                await self._fill()
            found = self._found.popleft()
            if not isinstance(found, bytes):
                return
            yield found

    async def _next_part(self) -> Part | None:
        while True:
            while self._found:
                found = self._found.popleft()
                if isinstance(found, Part):
                    return found
            if self._is_whole:
                return None
            await self._fill()

    async def _fill(self) -> None:
        piece = await anext(self._pieces, None)
        if piece is None:
            raise InvalidSpec("the form breaks off: its last boundary is missing")
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            raise InvalidSpec(f"the body is no form: {error}") from None

    def _take_field(self, data: bytes, begin: int, end: int) -> None:
        self._field += data[begin:end]

    def _take_value(self, data: bytes, begin: int, end: int) -> None:
        self._value += data[begin:end]

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field, self._value = b"", b""

    def _begin_part(self) -> None:
        self._found.append(part_from(self._disposition))
        self._disposition = b""

    def _take_content(self, data: bytes, begin: int, end: int) -> None:
        self._found.append(data[begin:end])

    def _end(self) -> None:
        self._is_whole = True
