"""Requests that wait for their turn in a kernel: in order, bounded in number and size."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sandlot.contracts.errors import Conflict

from .message import Message

MOST: Final = 4096
"""Requests that may wait."""

LARGEST: Final = 8 * 2**20
"""Bytes that they may take together, about."""

Send = Callable[[Message], Awaitable[None]]
"""Sends a message on its way; returns once the next may follow."""


@dataclass(eq=False, slots=True)
class Asked:
    """A request, and the way back to who sent it."""

    message: Message
    reply: Send
    is_aborted: bool = False


class Waiting:
    """What waits."""

    def __init__(self) -> None:
        """Nothing does."""
        self._asked: deque[Asked] = deque()
        self._size = 0
        self._changed = asyncio.Event()

    def __iter__(self) -> Iterator[Asked]:
        return iter(self._asked)

    def put(self, asked: Asked) -> None:
        """Add it at the end. Raises Conflict when there is no room."""
        if len(self._asked) >= MOST or self._size + asked.message.weight > LARGEST:
            raise Conflict(f"{len(self._asked)} requests wait in this kernel already: wait for some to end")
        self._asked.append(asked)
        self._size += asked.message.weight
        self._changed.set()

    async def get(self) -> Asked:
        """The first."""
        while not self._asked:
            self._changed.clear()
            await self._changed.wait()
        found = self._asked.popleft()
        self._size -= found.message.weight
        return found
