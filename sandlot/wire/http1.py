"""The answer to an HTTP/1.1 request, from bytes to events (`http1_request` writes the request).

Sans-IO: feed what arrives to a ResponseParser and take events out. Semantics are RFC 9110's, syntax is
RFC 9112's, read strictly: whatever two readers could take for two different messages (RFC 9112, 11.2) is an
error, so nobody between us and the server can make us read another answer than it does. Not spoken, because
no request of ours asks for them: content and transfer codings other than chunked, trailers with a meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Generator, Iterable, Iterator, List, Optional, Tuple, Union

from .http import Head

MAX_HEAD = 65536
MAX_FIELDS = 200
_LONGEST_CHUNK_LINE = 1024  # a size and its extensions, which nobody reads
_MOST_INTERIM = 16  # answers such as 103 before the answer; more is a way to keep us reading

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, 5.5: no CR, LF, NUL or other control
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_LENGTH = re.compile(r"[0-9]{1,18}")

# How the body of an answer ends, where no number of bytes says it.
_CHUNKED, _UNTIL_CLOSE = -1, -2


class HttpError(ValueError):
    """The server broke the protocol: end the connection."""


@dataclass(frozen=True)
class Body:
    """The next bytes of the answer's body; never empty."""

    data: bytes


@dataclass(frozen=True)
class End:
    """The answer is complete."""


Event = Union[Head, Body, End]
_Steps = Generator[Optional[Event], None, None]
_Fields = List[Tuple[str, str]]


class ResponseParser:
    """Reads one answer to a request of *method*. Events: Head, Body ..., End; 1xx answers are left out.

    With *upgrade* a 101 is an answer too, and `rest` begins what is spoken after it. Once an HttpError was
    raised, it is raised for ever.
    """

    def __init__(self, method: str, *, upgrade: bool = False) -> None:
        """Expect the first byte of a status line."""
        self._method = method
        self._upgrade = upgrade
        self._buffer = bytearray()
        self._no_more = False
        self._persists = False
        self._error: Optional[HttpError] = None
        self._steps = self._answer()
        self.complete = False

    @property
    def rest(self) -> bytes:
        """What was fed beyond the end of the answer."""
        return bytes(self._buffer) if self.complete else b""

    @property
    def is_reusable(self) -> bool:
        """Whether the connection may carry another request: the answer is complete and nothing follows."""
        return self.complete and self._persists and not self._buffer

    def feed(self, data: bytes) -> List[Event]:
        """Take the next bytes; the events they complete. Raises HttpError."""
        self._buffer += data
        return self._events()

    def finish(self) -> List[Event]:
        """Say that the connection ended; the last events. Raises HttpError when the answer was cut off."""
        self._no_more = True
        return self._events()

    def _events(self) -> List[Event]:
        if self._error is not None:
            raise self._error
        completed: Iterator[Event] = iter(self._steps.__next__, None)
        try:
            return list(completed)
        except HttpError as error:
            self._error = error
            raise

    # The parser is one generator, written as the format reads; it yields None where it needs more input.

    def _answer(self) -> _Steps:
        minor, status, fields = yield from self._final_head()
        framing = _framing(self._method, status, minor, fields)
        self._persists = minor == 1 and framing != _UNTIL_CLOSE and "close" not in _options(fields)
        yield Head(status, _joined(fields))
        if framing == _CHUNKED:
            yield from self._chunks()
        elif framing == _UNTIL_CLOSE:
            yield from self._until_close()
        else:
            yield from self._exactly(framing)
        self.complete = True
        yield End()

    def _final_head(self) -> Generator[None, None, Tuple[int, int, _Fields]]:
        for _ in range(_MOST_INTERIM):
            line = yield from self._text(MAX_HEAD)
            matched = _STATUS_LINE.fullmatch(line)
            if not matched:
                raise HttpError(f"the answer is not HTTP/1.1: it begins with {line[:40]!r}")
            minor, status = int(matched[1]), int(matched[2])
            fields = yield from self._fields(MAX_HEAD - len(line))
            if status >= 200 or (status == 101 and self._upgrade):
                return minor, status, fields
            if status == 101:
                raise HttpError("the server changes the protocol although nobody asked")
            _framing(self._method, status, minor, fields)
        raise HttpError(f"more than {_MOST_INTERIM} interim answers precede the answer")

    def _fields(self, most: int) -> Generator[None, None, _Fields]:
        fields: _Fields = []
        while True:
            line = yield from self._text(most)
            if not line:
                return fields
            most -= len(line) + 2
            if len(fields) == MAX_FIELDS:
                raise HttpError(f"the answer has more than {MAX_FIELDS} headers")
            fields.append(_field(line))

    def _chunks(self) -> _Steps:
        while True:
            line = yield from self._text(_LONGEST_CHUNK_LINE)
            matched = _CHUNK_LINE.fullmatch(line)
            if not matched:
                raise HttpError(f"a chunk has no size: {line[:40]!r}")
            size = int(matched[1], 16)
            if not size:
                break
            yield from self._exactly(size)
            if (yield from self._text(_LONGEST_CHUNK_LINE)):
                raise HttpError(f"a chunk is longer than the {size} bytes it announced")
        yield from self._fields(MAX_HEAD)

    def _until_close(self) -> _Steps:
        while self._buffer or not self._no_more:
            yield self._taken(len(self._buffer)) if self._buffer else None

    def _exactly(self, size: int) -> _Steps:
        while size:
            if self._buffer:
                taken = self._taken(size)
                size -= len(taken.data)
                yield taken
            else:
                self._expect_more()
                yield None

    def _taken(self, most: int) -> Body:
        data = bytes(self._buffer[:most])
        del self._buffer[:most]
        return Body(data)

    def _text(self, most: int) -> Generator[None, None, bytes]:
        """A line of at most *most* bytes. A bare LF or CR ends no line: others disagree about it."""
        looked = 0
        while True:
            end = self._buffer.find(b"\n", looked)
            looked = len(self._buffer)
            if (end if end >= 0 else looked) > most:
                raise HttpError("a line, or all headers together, are too long")
            if end >= 0:
                break
            self._expect_more()
            yield None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise HttpError(f"a line does not end with CR LF: {line[:40]!r}")
        return line[:-1]

    def _expect_more(self) -> None:
        if self._no_more:
            raise HttpError("the connection ended before the answer was complete")


def _field(line: bytes) -> Tuple[str, str]:
    if line[:1] in (b" ", b"\t"):
        raise HttpError("a header is folded over lines")  # RFC 9112, 5.2
    name, colon, value = line.partition(b":")
    text = name.decode("latin-1")
    if not colon or not _TOKEN.fullmatch(text):  # blanks before the colon included (RFC 9112, 5.1)
        raise HttpError(f"a header has no name: {line[:40]!r}")
    if not _VALUE.fullmatch(value):
        raise HttpError(f"the header {text} holds a control character")
    return text.lower(), value.strip(b" \t").decode("latin-1")


def _framing(method: str, status: int, minor: int, fields: _Fields) -> int:
    """How many bytes the body has, or _CHUNKED or _UNTIL_CLOSE (RFC 9112, 6.3). Raises HttpError."""
    codings = [value for name, value in fields if name == "transfer-encoding"]
    lengths = [value for name, value in fields if name == "content-length"]
    if method == "CONNECT" and 200 <= status < 300:
        return 0  # whatever the headers say: a tunnel begins
    if codings and lengths:
        raise HttpError("the answer has Content-Length and Transfer-Encoding: one of them lies")
    if codings and (minor == 0 or [value.lower() for value in codings] != ["chunked"]):
        raise HttpError(f"the transfer coding is not chunked alone: {', '.join(codings)!r}")
    length = _length(lengths)
    if method == "HEAD" or status == 304:
        return 0  # they tell of the body that a GET would get
    if status < 200 or status == 204:
        if codings or length:
            raise HttpError(f"an answer {status} announces a body, which it cannot have")
        return 0
    if codings:
        return _CHUNKED
    return _UNTIL_CLOSE if length is None else length


def _length(values: List[str]) -> Optional[int]:
    if not values:
        return None
    if len(values) > 1 or not _LENGTH.fullmatch(values[0]):
        raise HttpError(f"the Content-Length is not one number: {', '.join(values)[:40]!r}")
    return int(values[0])


def _options(fields: Iterable[Tuple[str, str]]) -> List[str]:
    """What the Connection headers list, in lower case (RFC 9110, 7.6.1)."""
    values = [value for name, value in fields if name == "connection"]
    return [part.strip().lower() for value in values for part in value.split(",")]


def _joined(fields: _Fields) -> Dict[str, str]:
    """Headers by name, repeated ones as one list (RFC 9110, 5.3)."""
    joined: Dict[str, str] = {}
    for name, value in fields:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
