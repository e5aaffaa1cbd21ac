"""HTTP by hand, for requests that no client would send: bytes out, an answer or nothing back."""

from __future__ import annotations

import http.client
import json
import select
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from sandlot.testing.servers import RunningServer

PATIENCE = 20.0
"""Seconds after which a test says that a server hangs."""


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
"""Headers of a WebSocket's handshake (RFC 6455, section 4.1)."""


@dataclass(frozen=True)
class Answer:
    """A status of 0 is a connection that was closed without an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    @property
    def code(self) -> str:
        """The stable code of a problem, whose form is looked at by the way."""
        assert self.headers["content-type"] == "application/problem+json", self
        told = self.json
        assert told["status"] == self.status
        assert told["error"] == told["detail"]
        assert told["requestId"] == self.headers["x-request-id"]
        return str(told["code"])


NO_ANSWER = Answer(0, {}, b"")


class Line:
    """One connection."""

    def __init__(self, server: RunningServer, timeout: float = PATIENCE) -> None:
        host, port = server.url.removeprefix("http://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout)
        self.host = f"{host}:{port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_why: object) -> None:
        self.socket.close()

    def say(self, data: bytes) -> bool:
        """Send *data*; False when the server has closed."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def flood(self, piece: bytes, most: int) -> int:
        """Send *piece* again and again until an answer comes, the server closes or *most* bytes are sent."""
        sent = 0
        while sent < most and not self.is_answered():
            if not self.say(piece):
                break
            sent += len(piece)
        return sent

    def is_answered(self, seconds: float = 0.0) -> bool:
        """Whether there is something to read, or the server has closed, within *seconds*."""
        return bool(select.select([self.socket], [], [], seconds)[0])

    def answer(self) -> Answer:
        """The next answer, NO_ANSWER when the server closes instead."""
        response = http.client.HTTPResponse(self.socket)
        try:
            response.begin()
            body = response.read()
        except (http.client.HTTPException, ConnectionResetError):
            return NO_ANSWER
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)

    def rest(self) -> bytes:
        """Everything until the server closes."""
        parts = []
        try:
            while part := self.socket.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts)

    def vanish(self) -> None:
        """Be gone at once, as a machine that lost its power and came back (RST)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def head(server: RunningServer, method: str, target: str | bytes, **headers: str) -> bytes:
    """The head of a request; names of headers are written with underscores."""
    target = target if isinstance(target, bytes) else target.encode("latin-1")
    host = server.url.removeprefix("http://")
    given = {"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [method.encode() + b" " + target + b" HTTP/1.1"]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in given.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def ask(server: RunningServer, method: str, target: str | bytes, body: Any = b"", **headers: str) -> Answer:
    """One request on a connection of its own; a dict is sent as JSON."""
    if isinstance(body, dict):
        body = json.dumps(body).encode()
        headers.setdefault("Content_Type", "application/json")
    if body or method in ("POST", "PUT"):
        headers.setdefault("Content_Length", str(len(body)))
    with Line(server) as line:
        line.say(head(server, method, target, **headers) + body)
        return line.answer()


def told(server: RunningServer, data: bytes) -> Answer:
    """The answer to *data* on a connection of its own."""
    with Line(server) as line:
        line.say(data)
        return line.answer()


@contextmanager
def streamed(
    server: RunningServer, target: str, body: dict[str, Any], media: str, **headers: str
) -> Iterator[Line]:
    """A connection on which *target* was asked for a stream of events."""
    data = json.dumps(body).encode()
    headers = {
        "Accept": media,
        "Content_Type": "application/json",
        "Content_Length": str(len(data)),
        **headers,
    }
    with Line(server) as line:
        line.say(head(server, "POST", target, **headers) + data)
        yield line
