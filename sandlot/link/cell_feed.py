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
    Streamed,
    Suggested,
)
from sandlot.wire import json_object

from .budget import Budget

_MOST_WAITING = 512
_LONGEST = 65_536
_DISPLAYED = 64 * 2**20
"""Bytes that what one cell shows may have, its exceptions included; more is left out."""


class CellFeed:
    """Events of one cell between its interpreter, who puts, and its reader, who gets."""

    def __init__(self, limit: int) -> None:
        """Let *limit* bytes of text through."""
        self.budget = Budget(limit)
        self._waiting: deque[CellEvent] = deque()
        self._room_to_show = _DISPLAYED
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._is_patient = True
        self.is_finished = False

    async def put(self, event: CellEvent) -> None:
        """Add what was told; waits while the reader is behind, unless `hurry` was called: then it is lost."""
        for each in self._admitted(event):
            while self._is_patient and len(self._waiting) >= _MOST_WAITING:
                self._taken.clear()
                await self._taken.wait()
            if len(self._waiting) < _MOST_WAITING:
                self._add(each)
            elif isinstance(each, Streamed):
                self.budget.drop(len(each.text))

    def finish(self, end: Finished) -> None:
        """Add the last; what comes later is dropped."""
        if not self.is_finished:
            self.is_finished = True
            self.hurry()
            self._waiting.append(end)
            self._changed.set()

    def rest(self) -> None:
        """Add what was held back of the text: before Finished."""
        for each in self.budget.rest():
            self._add(each)

    def hurry(self) -> None:
        """Wait for the reader no longer."""
        self._is_patient = False
        self._taken.set()

    async def get(self) -> CellEvent:
        """The next event."""
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        self._taken.set()
        return self._waiting.popleft()

    def _admitted(self, event: CellEvent) -> list[CellEvent]:
        if self.is_finished:
            return []
        if isinstance(event, Streamed):
            told = self.budget.take(event)
            return [] if told is None else [told]
        if isinstance(event, (Displayed, Resulted, Raised, Suggested, Evaluated)):
            size = _size(event)
            if size > self._room_to_show:
                self.budget.drop(size)
                return []
            self._room_to_show -= size
        return [event]

    def _add(self, event: CellEvent) -> None:
        last = self._waiting[-1] if self._waiting else None
        is_more = isinstance(event, Streamed) and isinstance(last, Streamed) and last.stream is event.stream
        if is_more and len(last.text) < _LONGEST:  # type: ignore[union-attr] # is_more says what it is
            self._waiting[-1] = Streamed(event.stream, last.text + event.text)  # type: ignore[union-attr]
        else:
            self._waiting.append(event)
        self._changed.set()


def _size(event: Displayed | Resulted | Raised | Suggested | Evaluated) -> int:
    if isinstance(event, Suggested):
        return len(event.code)
    if isinstance(event, Evaluated) and event.error is not None:
        return _size(event.error)
    if isinstance(event, Raised):
        return len(event.value) + sum(map(len, event.traceback))
    return len(json_object.render([dict(event.data), dict(event.metadata)]))
