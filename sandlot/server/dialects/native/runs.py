"""Runs: commands whose events are streamed, and kept a while for a client that comes back.

A run has a task of its own that takes the command's events and keeps the newest. One reader at a time is
told them; a later one takes over, because its client has noticed a broken connection before the server did.
The task stops taking events while much is unread, so a slow reader slows the program down and never loses
anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from sandlot.contracts.errors import Conflict, SandlotError
from sandlot.contracts.events import Event, Exited, Failed, Reason, Returned, Stderr, Stdout, exit_code_of
from sandlot.contracts.streams import ended
from sandlot.wire.events import MOST_DATA

from .feed import Feed

_log = logging.getLogger(__name__)

MOST_KEPT = 2**20
"""Bytes of events kept of one run."""

ORPHAN_SECONDS = 30.0
"""How long a resumable command runs on without a reader before it is killed."""

_MOST_TOLD = 2**16  # bytes in one go
_MOST_UNREAD = MOST_KEPT // 2
_OVERHEAD = 64  # of an event besides its bytes


class Told(NamedTuple):
    """One event and its number; the first is 1."""

    number: int
    event: Event


class Run:
    """One command under way, or one that has ended lately.

    Its first event tells its `name`, its last one the `facts`, by the names of the wire. A run that is not
    resumable dies with its reader. One that nobody reads is killed after *orphan_seconds*.
    """

    def __init__(
        self,
        source: AsyncIterator[Event],
        *,
        is_resumable: bool = False,
        feed: Feed | None = None,
        name: str = "",
        facts: Mapping[str, Any] | None = None,
        orphan_seconds: float = ORPHAN_SECONDS,
    ) -> None:
        """Begin to take the events of *source*; its standard input comes from *feed*, if by requests."""
        self.is_resumable, self.feed = is_resumable, feed
        self.name, self.facts = name, {} if facts is None else facts
        self._orphan_seconds = orphan_seconds
        self.is_over = False
        self.size = 0
        """Bytes of events kept."""
        self._kept: deque[Told] = deque()
        self._unread = 0
        self._position = 0  # the number of the last event that was told
        self._reader: Reader | None = None
        self._when_over: Callable[[], None] = _nothing
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._began = asyncio.get_running_loop().time()
        self._task = asyncio.ensure_future(self._take(source))
        self._task.add_done_callback(self._finish)
        self._orphaned: asyncio.TimerHandle | None = None

    async def first(self) -> Event:
        """Its first event, which says whether it runs; before it is read."""
        while not self._kept:
            self._news.clear()
            await self._news.wait()
        return self._kept[0].event

    def read(self, after: int = 0) -> Reader:
        """A reader of the events numbered above *after*; the reader before it is told no more.

        Raises Conflict when some of them are not kept any more, or *after* was never told.
        """
        oldest = self._kept[0].number if self._kept else 1
        newest = self._kept[-1].number if self._kept else 0
        if not oldest - 1 <= after <= newest:
            kept = f"events {oldest} to {newest} are kept" if newest else "there are no events yet"
            raise Conflict(f"the events after number {after} cannot be told: {kept}")
        self._stop_counting()
        self._position = after
        self._unread = sum(_size(told.event) for told in self._kept if told.number > after)
        self._reader = Reader(self)
        self._news.set()
        return self._reader

    def abandon(self) -> None:
        """Kill the command, if it still runs; returns at once."""
        self._task.cancel()

    async def kill(self) -> None:
        """Kill the command, if it still runs, and wait until it is gone."""
        self.abandon()
        await asyncio.wait([self._task])

    def when_over(self, callback: Callable[[], None]) -> None:
        """Call *callback* when the command has ended."""
        self._when_over = callback

    async def batch(self, reader: Reader) -> list[Told]:
        """What *reader* is told next, waiting for it; nothing when the run is over or has another reader."""
        while self._reader is reader:
            if batch := self._next_batch():
                return batch
            if self.is_over:
                break
            self._news.clear()
            await self._news.wait()
        return []

    def leave(self, reader: Reader) -> None:
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

    async def _take(self, source: AsyncIterator[Event]) -> None:
        try:
            async with ended(source) as events:
                async for event in events:
                    for part in _parts(event):
                        await self._keep(part)
        except SandlotError as error:
            self._append(Failed(error.code, error.message))

    def _finish(self, task: asyncio.Task[None]) -> None:
        """The command is gone; its last event tells how, whoever ended it."""
        if not (self._kept and isinstance(self._kept[-1].event, (Exited, Failed))):
            self._append(_broken_off(task, asyncio.get_running_loop().time() - self._began))
        self._stop_counting()
        self.is_over = True
        self._news.set()
        if self.feed is not None:
            self.feed.close()
        self._when_over()

    async def _keep(self, event: Event) -> None:
        while self._unread >= _MOST_UNREAD:
            self._room.clear()
            await self._room.wait()
        self._append(event)

    def _append(self, event: Event) -> None:
        if not self._kept and self._reader is None:
            # From now on, for a command may wait long for its turn; its first reader may be gone already.
            self._orphaned = self._count_down()
        number = self._kept[-1].number + 1 if self._kept else 1
        self._kept.append(Told(number, event))
        self.size += _size(event)
        self._unread += _size(event)
        # Only what was told goes: the bound on what is unread leaves room for that.
        while self.size > MOST_KEPT and self._kept[0].number <= self._position:
            self.size -= _size(self._kept.popleft().event)
        self._news.set()

    def _next_batch(self) -> list[Told]:
        """What is unread, as far as it goes in one go; it counts as read."""
        batch: list[Told] = []
        size = 0
        begin = self._position + 1 - (self._kept[0].number if self._kept else 1)
        for told in islice(self._kept, begin, None):
            batch.append(told)
            size += _size(told.event)
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


class Reader:
    """Who is told the events of a run, in batches, up to the last one or to the next reader."""

    def __init__(self, run: Run) -> None:
        """Made by Run.read."""
        self._run = run

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> list[Told]:
        if batch := await self._run.batch(self):
            return batch
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Read no more. A command that is not resumable is killed by it."""
        self._run.leave(self)


def _nothing() -> None:
    """Nobody wants to know."""


def _broken_off(task: asyncio.Task[None], seconds: float) -> Event:
    """What is told of a command whose events stopped without an end, *seconds* after it was asked for."""
    if task.cancelled():
        return Exited(Reason.KILLED, exit_code_of(Reason.KILLED, None, None), duration=seconds)
    if (error := task.exception()) is not None:
        _log.error("the events of a command broke off", exc_info=error)
    return Failed("internal", "the server failed while the command ran: its log tells why")


def _parts(event: Event) -> Iterator[Event]:
    """*event* in pieces that readers of the wire accept."""
    if not isinstance(event, (Stdout, Stderr)) or len(event.data) <= MOST_DATA:
        yield event
        return
    for begin in range(0, len(event.data), MOST_DATA):
        yield replace(event, data=event.data[begin : begin + MOST_DATA])


def _size(event: Event) -> int:
    if isinstance(event, Returned):
        return _OVERHEAD + event.size
    return _OVERHEAD + (len(event.data) if isinstance(event, (Stdout, Stderr)) else 0)
