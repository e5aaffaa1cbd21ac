"""What one cell tells on its way to whoever reads it: in order, bounded, and slowed down by a slow reader."""

from __future__ import annotations

import asyncio
from collections import deque

from sandlot.contracts.cells import (
    CellEvent,
    Displayed,
    Evaluated,
    Finished,
    Raised,
    Resulted,
    Spilled,
    Streamed,
    Suggested,
)
from sandlot.wire import json_object

from .budget import Budget
from .spill import Spill

_MOST_WAITING = 512
_LARGEST_WAITING = 2**20
"""Bytes that wait before the cell does; one event more may."""
_LONGEST = 65_536
_DISPLAYED = 64 * 2**20
"""Bytes that what one cell shows may have, its exceptions included; more is left out."""


class CellFeed:
    """Events of one cell between its interpreter, who puts, and its reader, who gets."""

    def __init__(self, limit: int, spill: Spill | None = None) -> None:
        """Let *limit* bytes of text through; *spill* gets all of it."""
        self.budget = Budget(limit)
        self._spill = spill
        self._waiting: deque[CellEvent] = deque()
        self._sizes: deque[int] = deque()  # of those
        self._size = 0
        self._room_to_show = _DISPLAYED
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._is_patient = True
        self._is_closed = False
        self.is_finished = False

    async def put(self, event: CellEvent) -> None:
        """Add what was told; waits while the reader is behind, unless `hurry` was called: then it is lost."""
        if self._spill is not None and isinstance(event, Streamed) and not self.is_finished:
            await self._spill.add(event.text)
        size, admitted = self._admitted(event)
        if admitted is None:
            return
        while self._is_patient and (len(self._waiting) >= _MOST_WAITING or self._size >= _LARGEST_WAITING):
            self._taken.clear()
            await self._taken.wait()
        if len(self._waiting) < _MOST_WAITING:
            self._add(admitted, size)
        elif isinstance(admitted, Streamed):
            self.budget.drop(len(admitted.text))

    def close(self) -> None:
        """The cell is over: what waits is to be taken, then `rest` and `finish` follow."""
        self._is_closed = True
        self.hurry()
        self._changed.set()

    def finish(self, end: Finished) -> None:
        """Add the last; what comes later is dropped."""
        if not self.is_finished:
            self.is_finished = True
            self.hurry()
            self._waiting.append(end)
            self._sizes.append(0)
            self._changed.set()

    async def rest(self) -> Spilled | None:
        """Add what was held back of the text, before Finished; where all of it is when some was dropped."""
        spilled = None
        if self._spill is not None:
            spilled = await self._spill.finish(is_wanted=self.budget.dropped > 0)
        for each in self.budget.rest(spilled):
            self._add(each, len(each.text))
        return spilled

    def hurry(self) -> None:
        """Wait for the reader no longer."""
        self._is_patient = False
        self._taken.set()
        if self._spill is not None:
            self._spill.hurry()

    async def get(self) -> CellEvent | None:
        """The next event; None once it was closed, until `finish`."""
        while not self._waiting:
            if self._is_closed and not self.is_finished:
                return None
            self._changed.clear()
            await self._changed.wait()
        self._taken.set()
        self._size -= self._sizes.popleft()
        return self._waiting.popleft()

    def _admitted(self, event: CellEvent) -> tuple[int, CellEvent | None]:
        """What of *event* is let through, and about how large it is."""
        if self.is_finished or self._is_closed:
            return 0, None
        if isinstance(event, Streamed):
            told = self.budget.take(event)
            return (0, None) if told is None else (len(told.text), told)
        if not isinstance(event, (Displayed, Resulted, Raised, Suggested, Evaluated)):
            return 0, event
        size = _size(event)
        if size > self._room_to_show:
            self.budget.drop(size)
            return 0, None
        self._room_to_show -= size
        return size, event

    def _add(self, event: CellEvent, size: int) -> None:
        last = self._waiting[-1] if self._waiting else None
        self._size += size
        if (
            isinstance(event, Streamed)
            and isinstance(last, Streamed)
            and last.stream is event.stream
            and len(last.text) < _LONGEST
        ):
            self._waiting[-1] = Streamed(event.stream, last.text + event.text)
            self._sizes[-1] += size
        else:
            self._waiting.append(event)
            self._sizes.append(size)
        self._changed.set()


def _size(event: Displayed | Resulted | Raised | Suggested | Evaluated) -> int:
    if isinstance(event, Suggested):
        return len(event.code)
    if isinstance(event, Evaluated) and event.error is not None:
        return _size(event.error)
    if isinstance(event, Raised):
        return len(event.value) + sum(map(len, event.traceback))
    return len(json_object.render([dict(event.data), dict(event.metadata)]))
