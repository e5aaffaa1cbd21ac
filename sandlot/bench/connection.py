"""The cheapest HTTP/1.1 client that still does it right: one blocking socket, kept alive.

On two cores what the client computes is taken from the server, so the load is not made with sandlot's own
client: that one reads strictly, streams and retries, and costs several times as much. What this one costs is
measured too (benchmark `http`). It speaks to a server that is trusted to speak HTTP, and to no other.
"""

from __future__ import annotations

import socket
import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass

from sandlot.contracts.errors import InvalidSpec
from sandlot.transport.address import Address, parse_address

TIMEOUT = 120.0
"""Seconds without a byte after which an answer is given up."""

_AT_ONCE = 2**18
_PATIENCE = struct.pack("ll", int(TIMEOUT), 0)  # struct timeval of SO_RCVTIMEO (socket(7))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; `length` counts the body's bytes, also of a body that was not kept."""

    status: int
    body: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Door:
    """Where the server listens, and the API key shown to it."""

    address: Address
    key: str | None = None

    def request(self, method: str, target: str, body: bytes | None = None, *, kind: str = "json") -> bytes:
        """The bytes of a request whose *body* is of media type application/*kind*."""
        head = [f"{method} {self.address.prefix}{target} HTTP/1.1", f"Host: {self.address.authority}"]
        if self.key is not None:
            head.append(f"Authorization: Bearer {self.key}")
        if body is not None:
            head += [f"Content-Type: application/{kind}", f"Content-Length: {len(body)}"]
        return "\r\n".join((*head, "", "")).encode("latin-1") + (body or b"")

    def connected(self) -> socket.socket:
        """A new connection. Raises OSError."""
        if self.address.scheme == "unix":
            made = socket.socket(socket.AF_UNIX)
            made.connect(self.address.socket)
        else:
            made = socket.create_connection((self.address.host, self.address.port), TIMEOUT)
            made.setblocking(True)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Not settimeout: Python would ask poll(2) before every read.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
        return made


def door(url: str, key: str | None = None) -> Door:
    """The door of the server at *url*. Raises InvalidSpec for a URL that is not http or unix."""
    address = parse_address(url)
    if address.scheme not in ("http", "unix"):
        raise InvalidSpec(
            f"the bench does not speak {address.scheme}, whose cost would be the client's as much as the "
            "server's: measure the server behind it, by http://HOST:PORT or unix:///PATH"
        )
    return Door(address, key)


class AnswerReader:
    """One answer from its bytes. A body is kept, or with *keeps* False only counted."""

    def __init__(self, *, keeps: bool = True) -> None:
        """Expect a status line."""
        self._keeps = keeps
        self._buffer = bytearray()
        self._body = bytearray()
        self._status = 0
        self._length = 0
        self._left = 0
        self._is_chunked = False

    def feed(self, data: bytes | memoryview) -> Answer | None:
        """The answer when *data* completes it. Raises OSError for what is no HTTP/1.1."""
        self._buffer += data
        if not self._status and not self._head():
            return None
        if not (self._chunks() if self._is_chunked else self._piece()):
            return None
        return Answer(self._status, bytes(self._body), self._length)

    def _head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        if not first.startswith(b"HTTP/1.1 ") or not first[9:12].isdigit():
            raise OSError(f"the server does not speak HTTP/1.1: {first[:40]!r}")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        self._is_chunked = fields.get(b"transfer-encoding", b"").lower() == b"chunked"
        self._left = int(fields.get(b"content-length", b"0"))
        self._status = int(first[9:12])
        return True

    def _piece(self) -> bool:
        """Take what is there of the piece that is left; whether it is complete."""
        taken = min(self._left, len(self._buffer))
        if self._keeps:
            self._body += self._buffer[:taken]
        del self._buffer[:taken]
        self._left -= taken
        self._length += taken
        return not self._left

    def _chunks(self) -> bool:
        """Take what is there of the chunks (RFC 9112, section 7.1); whether the last one was among it."""
        while self._piece():
            if self._buffer[:2] == b"\r\n":  # the end of the chunk before
                del self._buffer[:2]
            end = self._buffer.find(b"\r\n")
            if end < 0:
                return False
            size = int(bytes(self._buffer[:end]).partition(b";")[0], 16)
            if not size:
                return len(self._buffer) >= end + 4
            del self._buffer[: end + 2]
            self._left = size
        return False


class Line(ABC):
    """What carries one request at a time over a socket, which is opened when it is needed and kept."""

    def __init__(self, door: Door) -> None:
        """Connect to nothing yet."""
        self._door = door
        self._socket: socket.socket | None = None

    @abstractmethod
    def send(self, request: bytes) -> None:
        """Send *request*. Raises OSError."""

    @abstractmethod
    def received(self) -> Answer | None:
        """Read once; the answer when it is complete. Raises OSError, TimeoutError after TIMEOUT."""

    def fileno(self) -> int:
        """The descriptor, for a selector. Raises OSError before the first request."""
        return self._opened().fileno()

    def exchange(self, request: bytes) -> Answer:
        """The answer to *request*. Raises OSError; the connection is then closed."""
        try:
            self.send(request)
            while (answer := self.received()) is None:
                pass
        except OSError:
            self.close()
            raise
        return answer

    def close(self) -> None:
        """Hang up; idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise OSError("there is no connection yet")
        return self._socket

    def _more(self) -> bytes:
        """What has come, at least a byte. Raises OSError, TimeoutError after TIMEOUT."""
        try:
            data = self._opened().recv(_AT_ONCE)
        except BlockingIOError:
            raise TimeoutError(f"the server said nothing for {TIMEOUT:.0f} s") from None
        if not data:
            raise ConnectionResetError("the server hung up before its answer was complete")
        return data


class Connection(Line):
    """A connection of HTTP."""

    def __init__(self, door: Door, *, keeps: bool = True) -> None:
        """Connect to nothing yet. The bodies of answers are kept, or with *keeps* False only counted."""
        super().__init__(door)
        self._keeps = keeps
        self._reader = AnswerReader()

    def send(self, request: bytes) -> None:
        """As Line.send."""
        if self._socket is None or self._is_stale(self._socket):
            self.close()
            self._socket = self._door.connected()
        self._reader = AnswerReader(keeps=self._keeps)
        self._socket.sendall(request)

    def received(self) -> Answer | None:
        """As Line.received."""
        return self._reader.feed(self._more())

    @staticmethod
    def _is_stale(kept: socket.socket) -> bool:
        """Whether the server has hung up meanwhile, as it does with a connection that was idle."""
        try:
            kept.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True  # an end, or bytes that nobody asked for
