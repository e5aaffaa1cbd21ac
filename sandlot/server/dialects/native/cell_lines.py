"""Lines on their way to one client: in order, bounded, several in a message."""

from __future__ import annotations

import asyncio
from collections import deque

MOST_UNSENT = 2**19
"""Bytes that wait for a client before its cells do; one line more may."""

_MOST_TOLD = 2**16  # bytes in one message, or one line
_MOMENT = 0.001


class Lines:
    """What is to be sent: added by several, taken by one."""

    def __init__(self) -> None:
        """Nothing is."""
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._is_finished = self._is_due = False
        self._news, self._room = asyncio.Event(), asyncio.Event()

    async def add(self, line: bytes) -> None:
        """Add *line*, with its end; waits while too much was not taken."""
        while self._size >= MOST_UNSENT:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(line)
        self._size += len(line)
        self._news.set()

    def add_soon(self, line: bytes) -> None:
        """Add a short *line* for the next one to take along; alone it goes after a moment."""
        self._waiting.append(line)
        self._size += len(line)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(_MOMENT, self._tell)

    def _tell(self) -> None:
        self._is_due = False
        self._news.set()

    def finish(self) -> None:
        """Nothing more will be added."""
        self._is_finished = True
        self._news.set()

    async def taken(self) -> str | None:
        """The next message: what waits, as far as it goes in one; None after the last."""
        while not (self._waiting and self._news.is_set()):
            if self._is_finished and not self._waiting:
                return None
            self._news.clear()
            await self._news.wait()
        message = self._waiting.popleft()
        while self._waiting and len(message) + len(self._waiting[0]) <= _MOST_TOLD:
            message += self._waiting.popleft()
        self._size -= len(message)
        self._room.set()
        return message.decode("ascii")
