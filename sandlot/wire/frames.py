"""The agent link as frames: what a host and the agent in its box say to each other.

Two pipes carry frames, one each way. A frame is a header of nine bytes, big endian (payload length, kind,
stream), and a payload of at most 64 KiB. Stream 0 is the link itself and carries HELLO, and MOVED and CLAIM
to a parked box; the host opens streams 1, 3, 5, ... with OPEN or ORDER, and the agent ends each with DONE.

Bytes of a stream flow against credit, counted apart for each direction: a sender starts with 256 KiB
(`Window`), the receiver gives credit back as it consumes (`Receipts`). So a reader that stalls stops its own
stream and no other, and neither side holds more than 256 KiB for a stream. EVENT and DONE are exempt.

What a box sends is hostile: whoever decodes says which kinds it accepts, and any FrameError ends the link.
"""

from __future__ import annotations

import struct

from . import json_object
from .frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Container, Dict, List, Optional

MAX_PAYLOAD = 65536
INITIAL_CREDIT = 262144
_HEADER = struct.Struct(">IBI")
_CREDIT = struct.Struct(">I")
_LAST_STREAM = 2**32 - 1


class FrameError(ValueError):
    """The peer broke the protocol, or a frame was made that would: end the link."""


class Kind:
    """What a frame carries. Plain integers: importing `enum` costs a starting box 4 ms."""

    HELLO = 1  # both ways, JSON, stream 0, first
    OPEN = 2  # host: JSON {"verb": ...}; begins a stream
    INPUT = 3  # host: bytes of standard input, an archive, a file
    INPUT_END = 4  # host: empty
    SOURCE = 5  # host: bytes of a program's text
    SOURCE_END = 6  # host: empty
    OUTPUT = 7  # agent: bytes of standard output, a terminal, an archive, a file
    ERROUT = 8  # agent: bytes of standard error
    VALUE = 9  # agent: bytes of a handler's value, which the guest chose
    EVENT = 10  # agent: JSON
    DONE = 11  # agent: JSON, the last frame of its stream
    CREDIT = 12  # both ways: how many more bytes may be sent, four bytes big endian
    SIGNAL = 13  # host: JSON {"signal": n}
    RESIZE = 14  # host: JSON {"rows": n, "columns": n}
    CANCEL = 15  # host: empty; kill and finish
    CLAIM = 16  # host: wire.order.limits, stream 0, once, before the first OPEN of a parked box
    MOVED = 17  # host: empty, stream 0, before CLAIM: another workspace was mounted in the parked box
    ORDER = 18  # host: wire.order; begins a stream as OPEN does, to an agent whose HELLO says that it can


KIND_NAMES: Dict[int, str] = {value: name for name, value in vars(Kind).items() if name.isupper()}
FROM_HOST = frozenset(
    (
        Kind.HELLO,
        Kind.OPEN,
        Kind.INPUT,
        Kind.INPUT_END,
        Kind.SOURCE,
        Kind.SOURCE_END,
        Kind.CREDIT,
        Kind.SIGNAL,
        Kind.RESIZE,
        Kind.CANCEL,
        Kind.CLAIM,
        Kind.MOVED,
        Kind.ORDER,
    )
)
FROM_AGENT = frozenset((Kind.HELLO, Kind.OUTPUT, Kind.ERROUT, Kind.VALUE, Kind.EVENT, Kind.DONE, Kind.CREDIT))
_OF_THE_LINK = (Kind.HELLO, Kind.CLAIM, Kind.MOVED)
_FIXED_LENGTH = {
    Kind.INPUT_END: 0,
    Kind.SOURCE_END: 0,
    Kind.CREDIT: _CREDIT.size,
    Kind.CANCEL: 0,
    Kind.MOVED: 0,
}


class Frame(Frozen):
    """One frame: a `Kind`, the stream it belongs to, at most MAX_PAYLOAD bytes."""

    kind: int
    stream: int
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """The frame as sent. Raises FrameError for one no peer would accept."""
    if not 0 <= frame.stream <= _LAST_STREAM:
        raise FrameError(f"stream {frame.stream} is out of range: 0 to {_LAST_STREAM}")
    _check_header(len(frame.payload), frame.kind, frame.stream, MAX_PAYLOAD)
    return _HEADER.pack(len(frame.payload), frame.kind, frame.stream) + frame.payload


class FrameDecoder:
    """Turns received bytes into frames, however they were cut.

    `accept` holds the kinds this side may receive: FROM_HOST or FROM_AGENT. Between calls it keeps less
    than one frame. Once it has raised, it raises the same error for ever.
    """

    def __init__(self, *, accept: Container[int], max_payload: int = MAX_PAYLOAD) -> None:
        self._accept = accept
        self._max_payload = max_payload
        self._buffer = b""
        self._error: Optional[FrameError] = None

    def feed(self, data: bytes) -> List[Frame]:
        """The frames that `data` completes; raises FrameError as soon as a header is wrong."""
        if self._error is not None:
            raise self._error
        self._buffer += data
        try:
            return self._complete()
        except FrameError as error:
            self._error = error
            self._buffer = b""
            raise

    def finish(self) -> None:
        """Say that no more bytes will come; raises FrameError when that cuts a frame in two."""
        if self._error is not None:
            raise self._error
        if self._buffer:
            raise FrameError(f"the link ended inside a frame, {len(self._buffer)} bytes into it")

    def _complete(self) -> List[Frame]:
        buffer, start = self._buffer, 0
        frames: List[Frame] = []
        while len(buffer) - start >= _HEADER.size:
            length, kind, stream = _HEADER.unpack_from(buffer, start)
            if kind not in self._accept:
                raise FrameError(f"a frame of kind {KIND_NAMES.get(kind, kind)} is not accepted here")
            _check_header(length, kind, stream, self._max_payload)
            end = start + _HEADER.size + length
            if end > len(buffer):
                break
            frames.append(Frame(kind, stream, buffer[start + _HEADER.size : end]))
            start = end
        self._buffer = buffer[start:]
        return frames


def _check_header(length: int, kind: int, stream: int, max_payload: int) -> None:
    if kind not in KIND_NAMES:
        raise FrameError(f"no frame is of kind {kind}")
    name = KIND_NAMES[kind]
    if length > max_payload:
        raise FrameError(f"a {name} payload of {length} bytes is too long: {max_payload} at most")
    if length != _FIXED_LENGTH.get(kind, length):
        raise FrameError(f"a {name} payload is {_FIXED_LENGTH[kind]} bytes, not {length}")
    if (stream == 0) != (kind in _OF_THE_LINK):
        raise FrameError(
            f"a {name} frame cannot travel on stream {stream}: HELLO, CLAIM and MOVED alone use 0"
        )


def json_frame(kind: int, stream: int, value: Dict[str, Any]) -> Frame:
    """A frame whose payload is `value` as JSON; raises FrameError when it has no JSON form or is too long."""
    try:
        payload = json_object.render(value)
    except json_object.JsonError as error:
        raise FrameError(str(error)) from None
    if len(payload) > MAX_PAYLOAD:
        raise FrameError(f"{len(payload)} bytes of JSON do not fit one frame: {MAX_PAYLOAD} at most")
    return Frame(kind, stream, payload)


def parse_json(payload: bytes, max_depth: int = 32) -> Dict[str, Any]:
    """The JSON object a frame carries, checked as `json_object.parse` promises; raises FrameError."""
    if len(payload) > MAX_PAYLOAD:
        raise FrameError(f"{len(payload)} bytes of JSON are too long: {MAX_PAYLOAD} at most")
    try:
        return json_object.parse(payload, max_depth=max_depth)
    except json_object.JsonError as error:
        raise FrameError(str(error)) from None


def credit_frame(stream: int, amount: int) -> Frame:
    """Allow the peer `amount` more bytes on `stream`: 1 to INITIAL_CREDIT, else FrameError."""
    return Frame(Kind.CREDIT, stream, _CREDIT.pack(_checked_credit(amount)))


def parse_credit(payload: bytes) -> int:
    """The bytes a CREDIT frame allows: 1 to INITIAL_CREDIT, else FrameError."""
    if len(payload) != _CREDIT.size:
        raise FrameError(f"a CREDIT payload is {_CREDIT.size} bytes, not {len(payload)}")
    return _checked_credit(_CREDIT.unpack(payload)[0])


def _checked_credit(amount: int) -> int:
    if not 1 <= amount <= INITIAL_CREDIT:
        raise FrameError(f"{amount} bytes of CREDIT is out of range: 1 to {INITIAL_CREDIT}")
    return amount


class Window:
    """The sender's side of one stream in one direction: how many bytes may still be sent."""

    def __init__(self) -> None:
        self.available = INITIAL_CREDIT

    def spend(self, amount: int) -> None:
        """Count bytes sent; raises FrameError when there is less credit."""
        if not 0 <= amount <= self.available:
            raise FrameError(f"{amount} bytes overdraw the credit of {self.available}")
        self.available -= amount

    def grant(self, amount: int) -> None:
        """Count credit received; raises FrameError when it exceeds what was spent."""
        if not 0 <= amount <= INITIAL_CREDIT - self.available:
            raise FrameError(f"{amount} bytes of credit exceed the {INITIAL_CREDIT - self.available} spent")
        self.available += amount


class Receipts:
    """The receiver's side of one stream in one direction: what has arrived, what credit is due.

    Call `arrived` for every payload, before keeping it, and `consumed` once its bytes are passed on.
    """

    def __init__(self) -> None:
        self._allowed = Window()
        self._due = 0

    def arrived(self, amount: int) -> None:
        """Count bytes received; raises FrameError when the peer sent more than its credit."""
        self._allowed.spend(amount)

    def consumed(self, amount: int) -> int:
        """Count bytes passed on; the credit to send now (`credit_frame`), or 0 while too little is due.

        Raises FrameError when more is consumed than arrived.
        """
        due = self._due + amount
        if not self._due <= due <= INITIAL_CREDIT - self._allowed.available:
            raise FrameError(f"{amount} bytes consumed, but fewer arrived")
        if 2 * due < INITIAL_CREDIT:
            self._due = due
            return 0
        self._due = 0
        self._allowed.grant(due)
        return due
