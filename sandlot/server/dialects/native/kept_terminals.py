"""Terminals that outlive the connections of their clients, for a while.

A kept terminal has a task of its own that takes its output and keeps the newest. One client at a time is
told it; a later one takes over, because it has noticed a broken connection before the server did. A client
that reads slowly slows the program down; one that is gone does not: what it will miss is counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from sandlot.contracts.engine import Terminal
from sandlot.contracts.errors import Conflict, NotFound, SandlotError
from sandlot.contracts.events import Event, Exited, Failed, Started, Stdout
from sandlot.contracts.streams import ended

from .manners import COMMANDS
from .registry import Key
from .runs import ORPHAN_SECONDS

_log = logging.getLogger(__name__)

MOST_KEPT = 2**18
"""Bytes of output kept of one terminal."""

REMEMBERED = 60.0
"""Seconds for which one that has ended can still be asked for its last output and its end."""

MOST_REMEMBERED = 64
"""How many that have ended are remembered at once."""

_MOST_TOLD = 2**16  # bytes in one go
_MOST_UNREAD = MOST_KEPT // 2


class Attendance:
    """One client's time with a terminal. It `missed` so many bytes of what followed those it has seen."""

    def __init__(self, missed: int = 0) -> None:
        """Made by KeptTerminal.attend."""
        self.missed = missed


class KeptTerminal:
    """One terminal, from its opening until its program has ended or nobody wants it any more.

    With a *name* a client that lost its connection may come back within *orphan_seconds*; without one the
    terminal ends with its first client.
    """

    def __init__(self, terminal: Terminal, name: str = "", orphan_seconds: float = ORPHAN_SECONDS) -> None:
        """Begin to take what *terminal* tells; it is closed at the end."""
        self.terminal, self.name = terminal, name
        self.is_over = False
        self._orphan_seconds = orphan_seconds
        self._kept = bytearray()
        self._oldest = self._position = 0  # of the output's bytes, in the order of their coming
        self._started: Started | None = None
        self._end: Event | None = None
        self._present: Attendance | None = None
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._orphaned: asyncio.TimerHandle | None = None
        self._began = asyncio.get_running_loop().time()
        self._task = asyncio.ensure_future(self._live())
        self._task.add_done_callback(self._finish)

    def attend(self, after: int | None = None) -> Attendance:
        """Who is told from now on what followed the first *after* bytes, or with None everything.

        Raises Conflict when so much was never told.
        """
        newest = self._oldest + len(self._kept)
        seen = 0 if after is None else after
        if seen > newest:
            raise Conflict(f"the terminal has written {newest} bytes, and not {seen}")
        self._position = max(seen, self._oldest)
        if after is not None:
            self._started = None  # is told once
        if self._orphaned is not None:
            self._orphaned.cancel()
        self._present = Attendance(self._position - seen)
        self._room.set()
        self._news.set()
        return self._present

    async def told(self, who: Attendance) -> bytes | Event | None:
        """What *who* is told next: its beginning, bytes, its end; None when somebody else is told now."""
        while self._present is who:
            if self._started is not None:
                started, self._started = self._started, None
                return started
            if piece := self._next_piece():
                return piece
            if self._end is not None:
                return self._end
            self._news.clear()
            await self._news.wait()
        return None

    async def leave(self, who: Attendance, *, comes_back: bool) -> None:
        """*who* has gone: with a word, or so that it may come back. Nothing, when another is here."""
        if self._present is not who:
            return
        self._present = None
        self._room.set()
        if self.is_over:
            return
        if self.name and comes_back:
            self._orphaned = asyncio.get_running_loop().call_later(self._orphan_seconds, self._task.cancel)
        else:
            self._task.cancel()
            await asyncio.wait([self._task])
            await self.terminal.close()  # also where its task never began

    def when_over(self, callback: Callable[[], None]) -> None:
        """Call *callback* when it has ended."""
        self._task.add_done_callback(lambda _task: callback())

    async def _live(self) -> None:
        try:
            await self._take()
        except SandlotError as error:
            self._end = Failed(error.code, error.message)
        finally:
            await self.terminal.close()

    def _finish(self, task: asyncio.Task[None]) -> None:
        """It is gone; its last event tells how, whoever ended it."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a terminal broke off", exc_info=error)
            self._end = Failed("internal", "the server failed while the terminal ran: its log tells why")
        if self._end is None:
            self._end = COMMANDS.ended(asyncio.get_running_loop().time() - self._began)
        self.is_over = True
        self._news.set()

    async def _take(self) -> None:
        async with ended(self.terminal.events()) as events:
            async for event in events:
                if isinstance(event, Stdout):
                    await self._keep(event.data)
                elif isinstance(event, Started):
                    self._started = event
                elif isinstance(event, (Exited, Failed)):
                    self._end = event
                self._news.set()

    async def _keep(self, data: bytes) -> None:
        while self._present is not None and self._unread >= _MOST_UNREAD:
            self._room.clear()
            await self._room.wait()
        self._kept += data
        excess = max(0, len(self._kept) - MOST_KEPT)
        del self._kept[:excess]
        self._oldest += excess

    @property
    def _unread(self) -> int:
        return self._oldest + len(self._kept) - self._position

    def _next_piece(self) -> bytes:
        begin = self._position - self._oldest
        piece = bytes(self._kept[begin : begin + _MOST_TOLD])
        self._position += len(piece)
        if piece:
            self._room.set()
        return piece


class KeptTerminals:
    """Those that one server keeps, by owner, sandbox and name."""

    def __init__(self, most_remembered: int = MOST_REMEMBERED) -> None:
        """There are none."""
        self._most_remembered = most_remembered
        self._all: dict[Key, KeptTerminal] = {}  # in the order of their opening

    def add(self, key: Key, kept: KeptTerminal) -> None:
        """Remember *kept*, and a while longer than it lasts."""
        self._all[key] = kept
        kept.when_over(lambda: self._ended(key))

    def find(self, key: Key) -> KeptTerminal:
        """The one called *key*. Raises NotFound."""
        kept = self._all.get(key)
        if kept is None:
            raise NotFound(f"there is no terminal {key.number!r} in this sandbox, or no longer: open another")
        return kept

    def _ended(self, key: Key) -> None:
        asyncio.get_running_loop().call_later(REMEMBERED, self._all.pop, key, None)
        over = [each for each, kept in self._all.items() if kept.is_over]
        for each in over[: -self._most_remembered]:
            del self._all[each]


class Parting(NamedTuple):
    """How a client's time ended: the code to close with, 0 for one that is gone, and why."""

    code: int
    reason: str = ""
    comes_back: bool = False
    """Whether it may come back: it said no word, or another came in its place."""
