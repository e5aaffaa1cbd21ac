"""Connections kept for the next request."""

from __future__ import annotations

import threading
from typing import List, Optional, Tuple

from .stream import Stream


class Pool:
    """At most *most* idle connections, none older than *seconds*; the newest is taken first. Thread-safe."""

    def __init__(self, most: int = 8, seconds: float = 30.0) -> None:
        """Keep nothing yet."""
        self._most = most
        self._seconds = seconds
        self._idle: List[Tuple[float, Stream]] = []
        self._lock = threading.Lock()
        self.is_closed = False

    def take(self, now: float) -> Optional[Stream]:
        """A connection that is fit for a request, or None; unfit ones are closed on the way."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                since, stream = self._idle.pop()
            if now - since < self._seconds and stream.is_quiet():
                return stream
            stream.close()

    def give(self, stream: Stream, now: float) -> None:
        """Keep *stream*, whose answer is complete. The oldest one too many is closed, all after `close`."""
        with self._lock:
            if not self.is_closed:
                self._idle.append((now, stream))
            dropped = stream if self.is_closed else None
            if len(self._idle) > self._most:
                _, dropped = self._idle.pop(0)
        if dropped is not None:
            dropped.close()

    def close(self) -> None:
        """Close what is kept and whatever is given back later."""
        with self._lock:
            self.is_closed = True
            idle, self._idle = self._idle, []
        for _, stream in idle:
            stream.close()
