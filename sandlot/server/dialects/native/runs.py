"""Runs: commands and cells whose events are streamed, and kept a while for a client that comes back.

A run has a task of its own that takes the events and keeps the newest. One reader at a time is
told them; a later one takes over, because its client has noticed a broken connection before the server did.
The task stops taking events while much is unread, so a slow reader slows the program down and never loses
anything. What the events mean is told by a manner.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

from sandlot.contracts.errors import Conflict, SandlotError
from sandlot.contracts.events import Failed
from sandlot.contracts.streams import ended

from .feed import Feed
from .manners import Manner

Item = TypeVar("Item")

_log = logging.getLogger(__name__)

MOST_KEPT = 2**20
"""Bytes of events kept of one run."""

ORPHAN_SECONDS = 30.0
"""How long something resumable runs on without a reader before it is ended."""

_MOST_TOLD = 2**16  # bytes in one go
_MOST_UNREAD = MOST_KEPT // 2
_OVERHEAD = 64  # of an event besides its bytes


class Told(NamedTuple, Generic[Item]):
    """One event and its number; the first is 1."""

    number: int
    event: Item | Failed


class Run(Generic[Item]):
    """One command or cell under way, or one that has ended lately.

    `name` is what it is resumed by, `facts` is what some of its events tell besides, by the names of the
    wire; its manner says which. A run that is not resumable ends with its reader. One that nobody reads is
    ended after *orphan_seconds*.
    """

    def __init__(
        self,
        source: AsyncIterator[Item],
        manner: Manner[Item],
        *,
        is_resumable: bool = False,
        feed: Feed | None = None,
        name: str = "",
        facts: Mapping[str, Any] | None = None,
        orphan_seconds: float = ORPHAN_SECONDS,
    ) -> None:
        """Begin to take the events of *source*; its standard input comes from *feed*, if by requests."""
        self.manner = manner
        self.is_resumable, self.feed = is_resumable, feed
        self.name, self.facts = name, {} if facts is None else facts
        self._orphan_seconds = orphan_seconds
        self.is_over = False
        self.size = 0
        """Bytes of events kept."""
        self._kept: deque[tuple[Told[Item], int]] = deque()  # each with its size
        self._unread = 0
        self._position = 0  # the number of the last event that was told
        self._reader: Reader[Item] | None = None
        self._when_over: Callable[[], None] = _nothing
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._began = asyncio.get_running_loop().time()
        self._task = asyncio.ensure_future(self._take(source))
        self._task.add_done_callback(self._finish)
        self._orphaned: asyncio.TimerHandle | None = None

    async def first(self) -> Item | Failed:
        """Its first event, which says whether it runs; before it is read."""
        while not self._kept:
            self._news.clear()
            await self._news.wait()
        return self._kept[0][0].event

    def read(self, after: int = 0) -> Reader[Item]:
        """A reader of the events numbered above *after*; the reader before it is told no more.

        Raises Conflict when some of them are not kept any more, or *after* was never told.
        """
        oldest = self._oldest
        newest = self._kept[-1][0].number if self._kept else 0
        if not oldest - 1 <= after <= newest:
            kept = f"events {oldest} to {newest} are kept" if newest else "there are no events yet"
            raise Conflict(f"the events after number {after} cannot be told: {kept}")
        self._stop_counting()
        self._position = after
        self._unread = sum(size for told, size in self._kept if told.number > after)
        self._reader = Reader(self)
        self._news.set()
        return self._reader

    def abandon(self) -> None:
        """End it, if it still runs; returns at once."""
        self._task.cancel()

    async def kill(self) -> None:
        """End it, if it still runs, and wait until it is gone."""
        self.abandon()
        await asyncio.wait([self._task])

    def when_over(self, callback: Callable[[], None]) -> None:
        """Call *callback* when it has ended."""
        self._when_over = callback

    async def batch(self, reader: Reader[Item]) -> list[Told[Item]]:
        """What *reader* is told next, waiting for it; nothing when the run is over or has another reader."""
        while self._reader is reader:
            if batch := self._next_batch():
                return batch
            if self.is_over:
                break
            self._news.clear()
            await self._news.wait()
        return []

    def leave(self, reader: Reader[Item]) -> None:
        """*reader* has gone, having been told everything or not."""
        if self._reader is not reader:
            return
        self._reader = None
        if self.is_over:
            return
        if self.is_resumable:
            self._orphaned = self._count_down()
        else:
            self.abandon()

    @property
    def _oldest(self) -> int:
        return self._kept[0][0].number if self._kept else 1

    async def _take(self, source: AsyncIterator[Item]) -> None:
        try:
            async with ended(source) as events:
                async for event in events:
                    for part in self.manner.parts(event):
                        await self._keep(part)
        except SandlotError as error:
            self._append(Failed(error.code, error.message))

    def _finish(self, task: asyncio.Task[None]) -> None:
        """It is gone; its last event tells how, whoever ended it."""
        if not (self._kept and self._is_last(self._kept[-1][0].event)):
            self._append(self._broken_off(task))
        self._stop_counting()
        self.is_over = True
        self._news.set()
        if self.feed is not None:
            self.feed.close()
        self._when_over()

    def _is_last(self, event: Item | Failed) -> bool:
        return isinstance(event, Failed) or self.manner.is_last(event)

    def _broken_off(self, task: asyncio.Task[None]) -> Item | Failed:
        """What is told when the events stopped without an end."""
        if task.cancelled():
            return self.manner.ended(asyncio.get_running_loop().time() - self._began)
        if (error := task.exception()) is not None:
            _log.error("the events of a %s broke off", self.manner.what, exc_info=error)
        return Failed("internal", f"the server failed while the {self.manner.what} ran: its log tells why")

    async def _keep(self, event: Item) -> None:
        while self._unread >= _MOST_UNREAD:
            self._room.clear()
            await self._room.wait()
        self._append(event)

    def _append(self, event: Item | Failed) -> None:
        if not self._kept and self._reader is None:
            # From now on, for it may wait long for its turn; its first reader may be gone already.
            self._orphaned = self._count_down()
        number = self._kept[-1][0].number + 1 if self._kept else 1
        size = _OVERHEAD + (0 if isinstance(event, Failed) else self.manner.size(event))
        self._kept.append((Told(number, event), size))
        self.size += size
        self._unread += size
        # Only what was told goes: the bound on what is unread leaves room for that.
        while self.size > MOST_KEPT and self._oldest <= self._position:
            self.size -= self._kept.popleft()[1]
        self._news.set()

    def _next_batch(self) -> list[Told[Item]]:
        """What is unread, as far as it goes in one go; it counts as read."""
        batch: list[Told[Item]] = []
        size = 0
        begin = self._position + 1 - self._oldest
        for told, its_size in islice(self._kept, begin, None):
            batch.append(told)
            size += its_size
            if size >= _MOST_TOLD:
                break
        if batch:
            self._position = batch[-1].number
            self._unread -= size
            self._room.set()
        return batch

    def _stop_counting(self) -> None:
        if self._orphaned is not None:
            self._orphaned.cancel()

    def _count_down(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._orphan_seconds, self.abandon)


class Reader(Generic[Item]):
    """Who is told the events of a run, in batches, up to the last one or to the next reader."""

    def __init__(self, run: Run[Item]) -> None:
        """Made by Run.read."""
        self._run = run

    def __aiter__(self) -> Reader[Item]:
        return self

    async def __anext__(self) -> list[Told[Item]]:
        if batch := await self._run.batch(self):
            return batch
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Read no more. What is not resumable is ended by it."""
        self._run.leave(self)


def _nothing() -> None:
    """Nobody wants to know."""
