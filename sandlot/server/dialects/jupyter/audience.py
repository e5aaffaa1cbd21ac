"""Who hears a kernel: its connections, each with a bounded queue, and sessions that may come back.

A cell is slowed down by a connection that reads slowly, and a connection that does not read for PATIENCE is
given up. What a session misses that left is told when it comes back by the same session id: of the last
MOST_KEPT sessions, up to LARGEST_KEPT bytes of the newest each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from sandlot.contracts.errors import Conflict
from sandlot.jupyter.message import Message

MOST_LISTENERS: Final = 16
"""Connections to one kernel."""

LARGEST_QUEUE: Final = 2**20
"""Bytes that wait for one connection before the kernel does; one message more may."""

LARGEST_KEPT: Final = 4 * 2**20
"""Bytes that are kept for a session that left."""

MOST_KEPT: Final = 4
"""Sessions for which they are."""

PATIENCE: Final = 30.0
"""Seconds without a message taken after which a connection is given up."""


class Listener:
    """One connection: what it is to be sent."""

    def __init__(self, session: str, missed: Iterable[Message] = ()) -> None:
        """Of *session*, empty for none; *missed* comes first."""
        self.session = session
        self.waiting = deque(missed)
        self._weight = sum(each.weight for each in self.waiting)
        self._changed, self._taken = asyncio.Event(), asyncio.Event()
        self.given_up = asyncio.Event()
        """Set when nothing was read of it for PATIENCE."""
        self.is_over = False
        self.reason = ""

    async def put(self, message: Message) -> None:
        """Add *message*; waits for room, and gives the connection up when there is none for PATIENCE."""
        while self._weight > LARGEST_QUEUE and not self.is_over:
            self._taken.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._taken.wait()
            except TimeoutError:
                self.finish(f"nothing was read for {PATIENCE:g} s")
                self.given_up.set()
        if not self.is_over:
            self.waiting.append(message)
            self._weight += message.weight
            self._changed.set()

    async def get(self) -> Message | None:
        """The next; None after the last, when it is over."""
        while not self.waiting:
            if self.is_over:
                return None
            self._changed.clear()
            await self._changed.wait()
        message = self.waiting.popleft()
        self._weight -= message.weight
        self._taken.set()
        return message

    def finish(self, reason: str) -> None:
        """Nothing more comes, because of *reason*."""
        self.is_over, self.reason = True, reason
        self._changed.set()
        self._taken.set()


class Kept:
    """What a session that left misses: the newest of it."""

    def __init__(self, missed: Iterable[Message]) -> None:
        """*missed* had not been sent when it left."""
        self.messages: deque[Message] = deque()
        self._weight = 0
        for message in missed:
            self.add(message)

    def add(self, message: Message) -> None:
        """Keep *message*, and let go of the oldest when there is too much."""
        self.messages.append(message)
        self._weight += message.weight
        while self._weight > LARGEST_KEPT:
            self._weight -= self.messages.popleft().weight


class Audience:
    """Everybody who hears one kernel."""

    def __init__(self) -> None:
        """Nobody does."""
        self._listeners: list[Listener] = []
        self._kept: dict[str, Kept] = {}

    @property
    def count(self) -> int:
        """How many connections there are."""
        return len(self._listeners)

    def enter(self, session: str) -> Listener:
        """A new connection of *session*, told first what that missed. Raises Conflict for one too many."""
        if len(self._listeners) >= MOST_LISTENERS:
            raise Conflict(f"this kernel has {MOST_LISTENERS} connections already: close one")
        kept = self._kept.pop(session, None)
        listener = Listener(session, () if kept is None else kept.messages)
        self._listeners.append(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """The connection is closed; its session, if it has one, may come back."""
        listener.finish("it was closed")
        self._listeners.remove(listener)
        if listener.session and self._by(listener.session) is None:
            self._kept[listener.session] = Kept(listener.waiting)
            if len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    async def tell(self, message: Message) -> None:
        """Tell everybody."""
        for kept in self._kept.values():
            kept.add(message)
        for listener in tuple(self._listeners):
            await listener.put(message)

    async def answer(self, listener: Listener, message: Message) -> None:
        """Tell the one who asked by *listener*, or came back by another connection, or may."""
        there = listener if listener in self._listeners else self._by(listener.session)
        if there is not None:
            await there.put(message)
        elif listener.session in self._kept:
            self._kept[listener.session].add(message)

    def finish(self, reason: str) -> None:
        """Nothing more is told, because of *reason*."""
        self._kept.clear()
        for listener in self._listeners:
            listener.finish(reason)

    def _by(self, session: str) -> Listener | None:
        found = (each for each in self._listeners if session and each.session == session)
        return next(found, None)
