"""A server that is a script: every request is answered with bytes prepared before, and kept for reading.

Only the sockets are missing: requests are written, answers parsed and retries decided as on a network. Made
for tests of whatever stands on a transport.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Iterable, List, Mapping, NamedTuple, Optional, Union

from sandlot.wire.http import Head
from sandlot.wire.http1 import Body, HttpError, ResponseParser
from sandlot.wire.websocket import Message, MessageReader, acceptance_of, encode, masked

from . import aio, sync
from .address import Address
from .base import AsyncTransport, SyncTransport
from .courier import Courier
from .credentials import Key
from .proxy import Proxy
from .stream import Stream
from .waiting import Flow

Piece = Union[bytes, OSError]
_ACCEPTANCE = b"{acceptance}"
_KEY = re.compile(rb"Sec-WebSocket-Key: (\S+)")
_LENGTH_END = {126: 4, 127: 10}


class Asked(NamedTuple):
    """One request as it arrived: names of headers in lower case, chunks joined."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Script:
    """Answers requests in their order, each on a connection of its own.

    An answer is bytes, or pieces that arrive one after another; an error among them breaks the connection
    there, and the end of the pieces ends it. A request too many is a LookupError.
    """

    def __init__(self, *answers: Union[Piece, Iterable[Piece]]) -> None:
        """Prepare *answers*."""
        self._answers = iter(answers)
        self._sent: List[bytearray] = []

    @property
    def asked(self) -> List[Asked]:
        """The requests so far; for a WebSocket the body is what was sent on it (see `spoken`)."""
        return [_parsed(bytes(sent)) for sent in self._sent]

    def connect(self, *, key: Optional[str] = None) -> SyncTransport:
        """A transport to this script."""
        return sync.SocketTransport(self._courier(key))

    def connect_async(self, *, key: Optional[str] = None) -> AsyncTransport:
        """As `connect`, for tasks."""
        return aio.SocketTransport(self._courier(key))

    def answer(self) -> Stream:
        """The next connection."""
        number = len(self._sent) + 1
        pieces = next(self._answers, None)
        if pieces is None:
            raise LookupError(f"the script has no answer to request {number}")
        self._sent.append(bytearray())
        return _ScriptedStream([pieces] if isinstance(pieces, (bytes, OSError)) else pieces, self._sent[-1])

    def _courier(self, key: Optional[str]) -> Courier:
        return Courier(_ScriptedWay(self), None if key is None else Key(key))


def response(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer; `content_type="text/plain"` becomes the header `content-type`."""
    lines = [f"HTTP/1.1 {status} Scripted", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def acceptance(protocol: Optional[str] = None) -> bytes:
    """The answer that opens a WebSocket; the messages follow it as `frame`s."""
    chosen = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    head = f"HTTP/1.1 101 Scripted\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{chosen}"
    return head.encode("ascii") + b"Sec-WebSocket-Accept: " + _ACCEPTANCE + b"\r\n\r\n"


def frame(message: Message) -> bytes:
    """*message* as a server sends it: as a client's with a mask of zeros, which is left out."""
    sent = encode(message, bytes(4))
    short = sent[1] & 0x7F
    end = _LENGTH_END.get(short, 2)
    return sent[:1] + bytes([short]) + sent[2:end] + sent[end + 4 :]


def spoken(sent: bytes) -> List[Message]:
    """The messages in what a client sent on a WebSocket."""
    reader, messages = MessageReader(), []
    while sent:
        short = sent[1] & 0x7F
        start = _LENGTH_END.get(short, 2)
        size = short if start == 2 else int.from_bytes(sent[2:start], "big")
        mask, payload = sent[start : start + 4], sent[start + 4 : start + 4 + size]
        messages += reader.feed(sent[:1] + bytes([short]) + sent[2:start] + masked(payload, mask))
        sent = sent[start + 4 + size :]
    return messages


def _parsed(sent: bytes) -> Asked:
    line, _, rest = sent.partition(b"\r\n")
    method, target, _ = line.decode("ascii").split(" ")
    # From here on a request reads as an answer does; one without a length lasts until the connection ends.
    parser = ResponseParser("")
    events = parser.feed(b"HTTP/1.1 200 OK\r\n" + rest)
    if not parser.complete:
        events += parser.finish()
    body = b"".join(event.data for event in events if isinstance(event, Body))
    [head] = [event for event in events if isinstance(event, Head)]
    return Asked(method, target, head.headers, body)


@dataclass(frozen=True)
class _ScriptedWay:
    """Leads to the script's next answer."""

    script: Script
    address: Address = field(default_factory=lambda: Address("http", "script", 80))
    proxy: Optional[Proxy] = None

    def dial(self, _seconds: float, *, is_tunnelled: bool = False) -> Flow[Stream]:
        """The next connection, at once."""
        del is_tunnelled
        yield from ()
        return self.script.answer()


class _ScriptedStream(Stream):
    """A connection whose server has said everything already, so nobody ever waits for it."""

    def __init__(self, pieces: Iterable[Piece], sent: bytearray) -> None:
        self._pieces = deque(pieces)
        self._sent = sent
        self._was_asked = False

    def try_receive(self) -> Optional[bytes]:
        if not self._is_asked():
            return None
        piece = self._pieces.popleft() if self._pieces else b""
        if isinstance(piece, OSError):
            raise piece
        return piece.replace(_ACCEPTANCE, self._acceptance())

    def try_send(self, data: Union[bytes, memoryview]) -> int:
        self._sent += data
        return len(data)

    def hang_up(self) -> None:
        self._pieces.clear()

    def close(self) -> None:
        self._pieces.clear()

    def _is_asked(self) -> bool:
        """Whether the whole request has been sent; an answer before that would end the sending."""
        if not self._was_asked:
            try:
                _parsed(bytes(self._sent))
                self._was_asked = True
            except HttpError:
                pass
        return self._was_asked

    def _acceptance(self) -> bytes:
        asked = _KEY.search(self._sent)
        return acceptance_of(asked[1]).encode("ascii") if asked else _ACCEPTANCE
