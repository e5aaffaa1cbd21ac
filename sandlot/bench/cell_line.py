"""The cheapest WebSocket client for cells: one blocking socket, one cell at a time.

As `connection`, it speaks to a server that is trusted, so it masks with zeros and reads no more of a message
than whether the cell is over. Whoever asks for the text reads it afterwards.
"""

from __future__ import annotations

import json
import secrets
import socket
from typing import Any

from sandlot.contracts.cells import Cell
from sandlot.wire import cell_messages
from sandlot.wire.websocket import Pong, encode, handshake_fields

from .connection import Answer, Door, Line

_UNMASKED = bytes(4)
_TEXT, _PING = 0x81, 0x89  # whole frames (RFC 6455, section 5.2)
_ENDS = (b'"event":"finished"', b'"event":"failed"')


def cell(code: str) -> bytes:
    """The frame that asks for *code*, with no more words than a request has."""
    return encode(cell_messages.asking("1", Cell(code)), _UNMASKED)


def told(answer: Answer) -> tuple[str, str]:
    """How a cell ended, and what it wrote."""
    events: list[dict[str, Any]] = [json.loads(line) for line in answer.body.splitlines() if line]
    last = events[-1]
    return str(last.get("status") or last.get("code")), "".join(each.get("text", "") for each in events)


class CellLine(Line):
    """A WebSocket of the context *context*."""

    def __init__(self, door: Door, sandbox: str, context: str) -> None:
        """Connect to nothing yet."""
        super().__init__(door)
        self._target = f"/v1/sandboxes/{sandbox}/contexts/{context}/channel"
        self._buffer = bytearray()
        self._told = b""

    def send(self, request: bytes) -> None:
        """Send the frame *request*. Raises OSError."""
        if self._socket is None:
            self._socket = self._door.connected()
            self._shake_hands(self._socket)
        self._socket.sendall(request)

    def received(self) -> Answer | None:
        """The lines of the cell when it is over; otherwise as Line.received."""
        answer = self._whole()
        if answer is None:
            self._buffer += self._more()
            answer = self._whole()
        return answer

    def _whole(self) -> Answer | None:
        """The answer, where all of it has come."""
        while (message := self._message()) is not None:
            self._told += message
            if any(end in message for end in _ENDS):
                told, self._told = self._told, b""
                return Answer(200, told, len(told))
        return None

    def _shake_hands(self, made: socket.socket) -> None:
        self._buffer, self._told = bytearray(), b""
        fields = handshake_fields(secrets.token_bytes(16), (cell_messages.PROTOCOL,))
        lines = [f"{name}: {value}\r\n".encode() for name, value in fields.items()]
        made.sendall(self._door.request("GET", self._target)[:-2] + b"".join(lines) + b"\r\n")
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self._more()
        if not self._buffer.startswith(b"HTTP/1.1 101 "):
            raise OSError(f"the server opens no WebSocket of cells: {bytes(self._buffer[:40])!r}")
        del self._buffer[: self._buffer.index(b"\r\n\r\n") + 4]

    def _message(self) -> bytes | None:
        """The next message of text, when all of it is there."""
        while len(buffer := self._buffer) >= 2:
            size, start = buffer[1], 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(buffer[2:start], "big")
            if len(buffer) < start + size:
                return None
            kind, payload = buffer[0], bytes(buffer[start : start + size])
            del buffer[: start + size]
            if kind == _TEXT:
                return payload
            if kind != _PING:
                raise ConnectionResetError(f"the server sent {kind:#x} instead of the cell's events")
            self._opened().sendall(encode(Pong(payload), _UNMASKED))
        return None
