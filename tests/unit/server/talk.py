"""HTTP by hand: what a test sends is what goes over the wire."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandlot.testing.servers import RunningServer


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The body of an error, after a look at its form."""
        assert self.headers["content-type"] == "application/problem+json", self
        told: dict[str, Any] = json.loads(self.body)
        assert told["status"] == self.status
        assert told["error"] == told["detail"]
        assert told["requestId"] == self.headers["x-request-id"]
        return told


def ask(server: RunningServer, method: str, target: str, body: Any = None, **headers: str) -> Answer:
    """One request on a connection of its own; names of headers are written with underscores."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body
    if isinstance(body, dict):
        content = json.dumps(body).encode()
        given.setdefault("Content-Type", "application/json")
    connection = _connection(server.url)
    try:
        connection.request(method, target, content, given)
        return _answer(connection.getresponse())
    finally:
        connection.close()


def dial(server: RunningServer, timeout: float = 20.0) -> socket.socket:
    """A bare connection."""
    host, port = server.url.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout)


def read_answer(connection: socket.socket) -> Answer:
    """The next answer on a bare connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return _answer(response)


def rest(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.connect(self._path)


def _connection(url: str) -> http.client.HTTPConnection:
    if url.startswith("unix://"):
        return _UnixConnection(url.removeprefix("unix://"))
    return http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)


def _answer(response: http.client.HTTPResponse) -> Answer:
    body = response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
