"""WebSockets that wait for another cell of their context; for threads and for tasks."""

from __future__ import annotations

import threading
from collections import deque
from typing import Deque, Generic, List, NamedTuple, Optional, Tuple, TypeVar

Socket = TypeVar("Socket")

MOST_KEPT = 16
"""How many wait, of all contexts together."""


class Place(NamedTuple):
    """A context of a sandbox."""

    sandbox: str
    context: str


class Kept(Generic[Socket]):
    """Those that nobody uses at the moment. Two threads may use it at once."""

    def __init__(self) -> None:
        """None waits."""
        self._waiting: Deque[Tuple[Place, Socket]] = deque()  # the one unused for longest first
        self._lock = threading.Lock()

    def take(self, place: Place) -> Optional[Socket]:
        """One of *place* that waits."""
        with self._lock:
            found = next((each for each in reversed(self._waiting) if each[0] == place), None)
            if found is None:
                return None
            self._waiting.remove(found)
            return found[1]

    def keep(self, place: Place, socket: Socket) -> Optional[Socket]:
        """Let *socket* wait; the one that there is no room for any more is the caller's to close."""
        with self._lock:
            self._waiting.append((place, socket))
            return self._waiting.popleft()[1] if len(self._waiting) > MOST_KEPT else None

    def drop(self, sandbox: Optional[str] = None, context: Optional[str] = None) -> List[Socket]:
        """Those of a place, of a *sandbox*, or all: they wait no more, and are the caller's to close."""
        with self._lock:
            gone = [
                (place, socket)
                for place, socket in self._waiting
                if sandbox in (None, place.sandbox) and context in (None, place.context)
            ]
            for each in gone:
                self._waiting.remove(each)
        return [socket for _, socket in gone]
