"""Clients that are slow on purpose, begun with the session, so that waiting for their ends costs no time."""

from __future__ import annotations

import selectors
import threading
import time
from dataclasses import dataclass, field
from typing import Self

from sandlot.testing.servers import RunningServer
from tests.threats.raw import HANDSHAKE, Line, ask, head

_DRIP_SECONDS = 0.5
_BOX = "patient"


@dataclass
class SlowClient:
    """One of them: what it has heard, and after how many seconds the server closed; None while it is open."""

    line: Line
    drips: bytes = b""
    """What it says again and again, one piece at a time."""
    heard: bytearray = field(default_factory=bytearray)
    seconds: float | None = None
    over: threading.Event = field(default_factory=threading.Event)


class SlowClients:
    """All of them, on a server of their own."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        assert ask(server, "PUT", f"/v1/sandboxes/{_BOX}", {}).status == 200
        self._began = time.monotonic()
        self._is_over = threading.Event()
        files = f"/v1/sandboxes/{_BOX}/files/content?path=half"
        terminal = head(server, "GET", f"/v1/sandboxes/{_BOX}/terminal?cmd=sleep&cmd=600", **HANDSHAKE)
        half_head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "
        self.clients = {
            "says nothing": self._client(b""),
            "stops in the head": self._client(half_head),
            "drips in the head": self._client(half_head, b"a"),
            "stops in a long body": self._client(head(server, "PUT", files, Content_Length="1000") + b"half"),
            "stops in chunks": self._client(
                head(server, "POST", "/v1/run", Transfer_Encoding="chunked", Content_Type="application/json")
                + b"1\r\n{\r\n"
            ),
            "drips chunks": self._client(
                head(server, "PUT", files, Transfer_Encoding="chunked"), b"1\r\nx\r\n"
            ),
            "reads no answer": self._client(head(server, "GET", "/openapi.json") * 10),
            "answers no ping": self._client(terminal),
        }
        self._thread = threading.Thread(target=self._run)
        silent = self.clients["answers no ping"]
        while b'"started"' not in silent.heard:
            piece = silent.line.socket.recv(4096)
            assert piece, bytes(silent.heard)
            silent.heard += piece

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_why: object) -> None:
        self._is_over.set()
        self._thread.join()
        for client in self.clients.values():
            client.line.socket.close()

    def ended(self, name: str, within: float) -> SlowClient:
        """The client *name* once the server has closed its connection; *within* counts from the beginning."""
        client = self.clients[name]
        client.over.wait(max(0.0, self._began + within - time.monotonic()))
        return client

    def _client(self, said: bytes, drips: bytes = b"") -> SlowClient:
        line = Line(self.server)
        line.say(said)
        return SlowClient(line, drips)

    def _run(self) -> None:
        """Hear what comes to all but the one that reads nothing, and let drip what drips."""
        with selectors.DefaultSelector() as selector:
            for name, client in self.clients.items():
                if name != "reads no answer":
                    selector.register(client.line.socket, selectors.EVENT_READ, client)
            due = time.monotonic()
            while not self._is_over.is_set():
                for key, _ in selector.select(0.1):
                    self._hear(key.data, selector)
                if time.monotonic() >= due:
                    due += _DRIP_SECONDS
                    for client in self.clients.values():
                        if client.drips and client.seconds is None:
                            client.line.say(client.drips)

    def _hear(self, client: SlowClient, selector: selectors.BaseSelector) -> None:
        try:
            piece = client.line.socket.recv(65_536)
        except ConnectionResetError:
            piece = b""
        client.heard += piece
        if not piece:
            client.seconds = time.monotonic() - self._began
            selector.unregister(client.line.socket)
            client.over.set()
