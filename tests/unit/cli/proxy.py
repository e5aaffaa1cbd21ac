"""A network between a client and a server that can be cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Network:
    """Passes connections to `url` on to a server."""

    def __init__(self, server: str) -> None:
        """Listen on a free port of loopback."""
        self.server, parts = server, urlsplit(server)
        self._far = (str(parts.hostname), int(parts.port or 0))
        self._door = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._is_down = False
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """End every connection and pass no other on."""
        self._is_down = True
        for each in self._held:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Pass connections on again."""
        self._is_down = False

    def close(self) -> None:
        """Cut it for good."""
        self.cut()
        self._door.close()
        for each in self._held:
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._door.accept()
                if self._is_down:
                    near.close()
                    continue
                far = socket.create_connection(self._far)
                self._held += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # cut, or hung up
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def network(server: str) -> Iterator[Network]:
    """A network to *server* for the length of a block."""
    between = Network(server)
    try:
        yield between
    finally:
        between.close()
