"""The WebSocket protocol as a client speaks it (RFC 6455): handshake, frames, messages.

Sans-IO: the caller lends the bytes, and the randomness too (the nonce of the handshake, a mask per frame).
A message is `str` or `bytes`; Ping, Pong and Close are messages of their own. No extension is asked for, so
none is accepted.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Dict, Generator, Iterator, List, Optional, Sequence, Tuple, Union

from sandlot.contracts.errors import InvalidSpec

from .http import Head

MAX_MESSAGE = 1 << 20
NORMAL, GONE, BROKEN, BAD_TEXT, TOO_LARGE = 1000, 1001, 1002, 1007, 1009  # RFC 6455, 7.4.1
NO_CODE = 1005  # what a Close without a code means; never sent
_MAX_CONTROL = 125
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_OPCODES = (_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG)


class WebSocketError(ValueError):
    """The server broke the protocol: send a Close with `code` and end the connection."""

    def __init__(self, message: str, code: int = BROKEN) -> None:
        """Keep the code that tells the server."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Ping:
    """Asks for a Pong with the same data, at most 125 bytes."""

    data: bytes = b""


@dataclass(frozen=True)
class Pong:
    """Answers a Ping, or says unasked that its sender lives."""

    data: bytes = b""


@dataclass(frozen=True)
class Close:
    """The last message of a side, and why."""

    code: int = NORMAL
    reason: str = ""


Message = Union[bytes, str, Ping, Pong, Close]
_Steps = Generator[Optional[Message], None, None]


def handshake_fields(nonce: bytes, protocols: Sequence[str] = ()) -> Dict[str, str]:
    """The headers that ask for a WebSocket; *nonce* is 16 random bytes (RFC 6455, 4.1)."""
    if len(nonce) != 16:
        raise InvalidSpec(f"the nonce of a WebSocket is 16 bytes, not {len(nonce)}")
    fields = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(nonce).decode("ascii"),
    }
    if protocols:
        fields["Sec-WebSocket-Protocol"] = ", ".join(protocols)
    return fields


def agreed_protocol(head: Head, nonce: bytes, protocols: Sequence[str] = ()) -> Optional[str]:
    """The subprotocol the server chose, or None; raises WebSocketError when *head* is no acceptance."""
    told = head.headers
    if head.status != 101 or told.get("upgrade", "").lower() != "websocket":
        raise WebSocketError(f"the server answered {head.status} and opened no WebSocket")
    if "upgrade" not in [part.strip().lower() for part in told.get("connection", "").split(",")]:
        raise WebSocketError("the server's acceptance lacks `Connection: Upgrade`")
    if told.get("sec-websocket-accept", "") != acceptance_of(base64.b64encode(nonce)):
        raise WebSocketError("the server's Sec-WebSocket-Accept does not belong to this handshake")
    if "sec-websocket-extensions" in told:
        raise WebSocketError("the server uses an extension nobody asked for")
    chosen = told.get("sec-websocket-protocol")
    if chosen is not None and chosen not in protocols:
        raise WebSocketError("the server chose a subprotocol nobody offered")
    return chosen


def acceptance_of(key: bytes) -> str:
    """The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (RFC 6455, 4.2.2).

    No protection, but proof that the server, and no cache, read this very handshake.
    """
    digest = hashlib.sha1(key + _GUID).digest()  # noqa: S324 - RFC 6455 says SHA-1
    return base64.b64encode(digest).decode("ascii")


def encode(message: Message, mask: bytes) -> bytes:
    """*message* as one frame, masked with four bytes nobody can foresee (RFC 6455, 5.3, 10.3).

    Raises InvalidSpec beyond MAX_MESSAGE, for a longer Ping, Pong or Close, and for a code never sent.
    """
    opcode, payload = _payload(message)
    most = MAX_MESSAGE if opcode < _CLOSE else _MAX_CONTROL
    if len(payload) > most:
        raise InvalidSpec(f"{len(payload)} bytes do not fit one message: send at most {most}")
    if len(mask) != 4:
        raise InvalidSpec(f"the mask of a WebSocket frame is 4 bytes, not {len(mask)}")
    return bytes([0x80 | opcode]) + _length(len(payload)) + mask + masked(payload, mask)


def _payload(message: Message) -> Tuple[int, bytes]:
    if isinstance(message, str):
        return _TEXT, _utf8(message)
    if isinstance(message, bytes):
        return _BINARY, message
    if isinstance(message, Close):
        if message.code == NO_CODE and not message.reason:
            return _CLOSE, b""
        if not _is_sendable(message.code):
            raise InvalidSpec(f"{message.code} is no code to close a WebSocket with: see RFC 6455, 7.4")
        return _CLOSE, message.code.to_bytes(2, "big") + _utf8(message.reason)
    return (_PING if isinstance(message, Ping) else _PONG), message.data


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidSpec("a text message holds a lone surrogate: send it as bytes") from None


def _length(size: int) -> bytes:
    """The length with the mask bit, in as few bytes as it needs (RFC 6455, 5.2)."""
    if size < 126:
        return bytes([0x80 | size])
    if size < 1 << 16:
        return bytes([0x80 | 126]) + size.to_bytes(2, "big")
    return bytes([0x80 | 127]) + size.to_bytes(8, "big")


def masked(payload: bytes, mask: bytes) -> bytes:
    """*payload* with *mask* laid over it, and the other way round (RFC 6455, 5.3)."""
    # As one number: a loop over the bytes takes a hundred times as long.
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


def _is_sendable(code: int) -> bool:
    """Whether a Close may carry *code* (RFC 6455, 7.4; the registry's 1012 to 1014)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


class MessageReader:
    """Turns received bytes into messages, however they were cut into frames and pieces.

    Between calls it keeps less than one message and one frame. What follows a Close is not read. Once a
    WebSocketError was raised, it is raised for ever.
    """

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        """Refuse messages longer than *max_message* bytes."""
        self._max_message = max_message
        self._buffer = bytearray()
        self._error: Optional[WebSocketError] = None
        self._steps = self._messages()

    def feed(self, data: bytes) -> List[Message]:
        """Take the next bytes; the messages they complete. Raises WebSocketError."""
        if self._error is not None:
            raise self._error
        self._buffer += data
        completed: Iterator[Message] = iter(self._steps.__next__, None)
        try:
            return list(completed)
        except WebSocketError as error:
            self._error = error
            raise

    def _messages(self) -> _Steps:
        kind, parts = _CONTINUATION, bytearray()  # of the message in pieces: its opcode, what came
        while True:
            opcode, is_last, payload = yield from self._frame(kind, len(parts))
            if opcode >= _CLOSE:
                control = _control(opcode, payload)
                yield control
                if isinstance(control, Close):
                    return
                continue
            kind = opcode or kind
            parts += payload
            if is_last:
                yield _data(kind, bytes(parts))
                kind, parts = _CONTINUATION, bytearray()

    def _frame(self, kind: int, before: int) -> Generator[None, None, Tuple[int, bool, bytes]]:
        first, second = yield from self._exactly(2)
        opcode, is_last, short = first & 0x0F, bool(first & 0x80), second & 0x7F
        if first & 0x70 or opcode not in _OPCODES:
            raise WebSocketError(f"a frame begins with {first:#04x}, which no extension explains")
        if second & 0x80:
            raise WebSocketError("a frame of the server is masked")
        if opcode >= _CLOSE and (short > _MAX_CONTROL or not is_last):
            raise WebSocketError("a control frame is long or cut in pieces")
        if opcode < _CLOSE and (opcode == _CONTINUATION) != (kind != _CONTINUATION):
            raise WebSocketError("a message begins within another, or goes on without a beginning")
        length = short if short < 126 else (yield from self._long_length(short))
        if opcode < _CLOSE and before + length > self._max_message:
            raise WebSocketError(f"a message is longer than {self._max_message} bytes", TOO_LARGE)
        return opcode, is_last, (yield from self._exactly(length))

    def _long_length(self, short: int) -> Generator[None, None, int]:
        size, least = (2, 126) if short == 126 else (8, 1 << 16)
        length = int.from_bytes((yield from self._exactly(size)), "big")
        if length < least or length >= 1 << 63:
            raise WebSocketError(f"the length {length} is written in too many bytes")
        return length

    def _exactly(self, size: int) -> Generator[None, None, bytes]:
        while len(self._buffer) < size:
            yield None
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def _data(kind: int, payload: bytes) -> Message:
    return payload if kind == _BINARY else _text(payload)


def _control(opcode: int, payload: bytes) -> Message:
    if opcode != _CLOSE:
        return Ping(payload) if opcode == _PING else Pong(payload)
    if not payload:
        return Close(NO_CODE)
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not _is_sendable(code):
        raise WebSocketError(f"the server closes with {payload[:2].hex()}, which is no code")
    return Close(code, _text(payload[2:]))


def _text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        raise WebSocketError("a text is not UTF-8", BAD_TEXT) from None
