"""Small servers made by hand: every connection is served by a function that sees the socket."""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, List, Optional

from sandlot.transport.memory import frame, spoken
from sandlot.wire.websocket import Close, Message, acceptance_of

Serve = Callable[["Peer"], None]
OK = b"HTTP/1.1 200 OK\r\n"


def answer(body: bytes = b"", status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Peer:
    """The server's end of one connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.buffer = b""
        self._is_websocket = False

    def request(self) -> bytes:
        """The next request, its body by length included; empty when the client has closed."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                return b""
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", head)
        return head + b"\r\n\r\n" + self.exactly(int(found[1]) if found else 0)

    def content(self) -> bytes:
        """A body in chunks."""
        body = b""
        while True:
            size = int(self.until(b"\r\n"), 16)
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
            if not size:
                return body

    def until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            assert self._more()
        line, _, self.buffer = self.buffer.partition(end)
        return line

    def exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            if not self._more():
                raise EOFError("the client closed")
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def is_left(self) -> bool:
        """Wait for the client to close, or to say a WebSocket's goodbye."""
        if self._is_websocket:
            self.messages()
            return True
        try:
            while self._more():
                self.buffer = b""
        except ConnectionError:
            pass
        return True

    def accept(self, protocol: str = "", *messages: Message) -> bytes:
        """Agree to a WebSocket and say *messages* with it; the request."""
        self._is_websocket = True
        asked = self.request()
        found = re.search(rb"Sec-WebSocket-Key: (\S+)", asked)
        assert found
        chosen = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        self.send(
            f"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{chosen}"
            f"Sec-WebSocket-Accept: {acceptance_of(found[1])}\r\n\r\n".encode()
            + b"".join(map(frame, messages))
        )
        return asked

    def messages(self) -> List[Message]:
        """What the client says until it says goodbye or leaves."""
        heard: List[Message] = []
        try:
            while not heard or not isinstance(heard[-1], Close):
                heard += self.message()
        except (ConnectionError, EOFError):
            pass
        return heard

    def message(self) -> List[Message]:
        """The next frame, which is one message."""
        start = self.exactly(2)
        size = {126: 2, 127: 8}.get(start[1] & 0x7F, 0)
        start += self.exactly(size)
        length = int.from_bytes(start[2:], "big") if size else start[1] & 0x7F
        return spoken(start + self.exactly(4 + length))

    def say(self, *messages: Message) -> None:
        self.send(b"".join(map(frame, messages)))

    def reset(self) -> None:
        """Break the connection: with SO_LINGER of 0, close(2) resets it."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _more(self) -> bool:
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)


class Server:
    """Serves the n-th connection by the n-th function, the last one serves all that follow."""

    def __init__(self, listening: socket.socket, serves: List[Serve]) -> None:
        self.connections = 0
        self.failures: List[BaseException] = []
        self._listening = listening
        self._serves = serves
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def stop(self) -> None:
        """Take no more connections, wait for the functions, tell what went wrong in them."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a connection is still served: did the client not close it?"
        for failure in self.failures:
            raise failure

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listening.accept()
            except OSError:
                return
            serve = self._serves[min(self.connections, len(self._serves) - 1)]
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(serve, connected), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, serve: Serve, connected: socket.socket) -> None:
        connected.settimeout(10)
        with connected:
            try:
                serve(Peer(connected))
            except BaseException as failure:  # noqa: BLE001 - told by the thread that tests
                self.failures.append(failure)


@contextmanager
def serving(*serves: Serve, path: Optional[Path] = None) -> Iterator[Server]:
    """A server on loopback, or on a Unix socket at *path*, for the length of a block."""
    listening = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    listening.bind(str(path) if path else ("127.0.0.1", 0))
    listening.listen()
    server = Server(listening, list(serves))
    try:
        yield server
    except BaseException:
        listening.close()
        raise
    server.stop()


def answering(*answers: bytes) -> Serve:
    """Answer one request after another, then wait for the client to leave."""

    def serve(peer: Peer) -> None:
        for each in answers:
            if not peer.request():
                return
            peer.send(each)
        peer.is_left()

    return serve


def hanging_up(peer: Peer) -> None:
    """Read a request and close without a word."""
    peer.request()


def closed_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
