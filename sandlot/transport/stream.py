"""A connected socket that never blocks: every attempt says at once what it could do."""

from __future__ import annotations

import socket
import threading
from typing import Optional, Tuple, Union

from .waiting import Ready

STEP = 65536


class Stream:
    """One connection. Two threads may use it at once: an attempt holds a lock, waiting holds none."""

    def __init__(self, connected: socket.socket) -> None:
        """Own *connected*, which is non-blocking already."""
        self._socket = connected
        self._lock = threading.Lock()

    def try_receive(self) -> Optional[bytes]:
        """What has arrived, None for nothing yet, empty at the end. Raises OSError."""
        with self._lock:
            try:
                return self._socket.recv(STEP)
            except (BlockingIOError, InterruptedError):
                return None

    def try_send(self, data: Union[bytes, memoryview]) -> int:
        """How many bytes could be handed over now. Raises OSError."""
        with self._lock:
            try:
                return self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                return 0

    def ready(self, *, read: bool = False, write: bool = False, seconds: Optional[float]) -> Ready:
        """What to wait for until the attempt is worth repeating."""
        read, write = self._wanted(read, write)
        return Ready(self._socket.fileno(), read, write, seconds)

    def is_quiet(self) -> bool:
        """Whether the connection stands and nothing has arrived: fit to carry a new request."""
        try:
            return self.try_receive() is None
        except OSError:
            return False

    def release(self) -> socket.socket:
        """Give the socket away, for TLS to be spoken on it."""
        return self._socket

    def hang_up(self) -> None:
        """End the connection and wake whoever waits for it; the descriptor stays taken until `close`."""
        try:
            # Not SSLSocket.shutdown: it makes a receiver in another thread read what is encrypted.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            pass  # the server was faster

    def close(self) -> None:
        """Let go; idempotent."""
        self._socket.close()

    def _wanted(self, read: bool, write: bool) -> Tuple[bool, bool]:
        return read, write
