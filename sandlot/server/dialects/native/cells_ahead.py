"""The cells of one connection: the one under way, and those that were sent ahead of their turn."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from sandlot.contracts.cells import Begun, Cell, CellEvent, Finished, InputAsked
from sandlot.contracts.errors import Conflict, StartFailed

MOST_AHEAD = 64
"""Cells that one connection may have waiting."""

LARGEST_AHEAD = 2 * 2**20
"""Characters of code that those may have together."""

_NOTHING = Cell("")


@dataclass(slots=True, eq=False)
class Asked:
    """A cell that was asked for by *name*."""

    name: str
    cell: Cell = _NOTHING
    number: int = 0
    """Of its last event."""
    has_begun: bool = False
    is_asking: bool = False
    """It waits for a line of input."""
    is_unwanted: bool = False
    """It was interrupted before it had begun."""
    is_over: bool = False
    """Its last event is known."""

    def note(self, event: CellEvent) -> None:
        """It told *event*."""
        self.has_begun = self.has_begun or isinstance(event, Begun)
        self.is_over = isinstance(event, Finished)
        # What a thread of the cell prints meanwhile takes nothing back.
        self.is_asking = isinstance(event, InputAsked) or (self.is_asking and not self.is_over)


class Ahead:
    """They run in the order in which they came."""

    def __init__(self) -> None:
        """There are none."""
        self.running: Asked | None = None
        self._waiting: deque[Asked] = deque()
        self._size = 0
        self._is_closed = False
        self._news, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()

    def add(self, asked: Asked) -> None:
        """Let *asked* wait for its turn. Raises Conflict for one too many, StartFailed when it is closed."""
        if self._is_closed:
            raise StartFailed("the server is stopping: ask another one, or again in some seconds")
        if len(self._waiting) >= MOST_AHEAD:
            raise Conflict(f"{MOST_AHEAD} cells of this connection wait already: wait for some to end")
        size = len(asked.cell.code)
        if self._waiting and self._size + size > LARGEST_AHEAD:
            raise Conflict(f"the cells that wait have {self._size} characters: wait for some to end")
        self._waiting.append(asked)
        self._size += size
        self._idle.clear()
        self._news.set()

    def found(self, name: str) -> Asked | None:
        """The cell *name*; None when it is over."""
        if self.running is not None and self.running.name == name:
            return self.running
        return next((each for each in self._waiting if each.name == name), None)

    async def begin(self) -> Asked:
        """The next whose turn it is, once there is one."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        asked = self._waiting.popleft()
        self._size -= len(asked.cell.code)
        self.running = asked
        return asked

    def drop(self, asked: Asked) -> None:
        """Take one away that waits."""
        self._waiting.remove(asked)
        self._size -= len(asked.cell.code)
        self._rest()

    def end(self) -> None:
        """The one under way is over, and all of it is told."""
        self.running = None
        self._rest()

    async def emptied(self) -> None:
        """Take no more, and wait until none is left."""
        self._is_closed = True
        await self._idle.wait()

    def _rest(self) -> None:
        if self.running is None and not self._waiting:
            self._idle.set()
