"""One cell under way: what its interpreter tells of it, its timeout, and its end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from sandlot.contracts.cells import Begun, Cell, CellEvent, CellStatus, Finished, InputAsked
from sandlot.contracts.contexts import ContextEnd
from sandlot.wire.context_lines import Done

from .cell_feed import CellFeed
from .interpreter import Interpreter
from .spill import Spills

INTERRUPT_PATIENCE = 2.0
"""Seconds a cell has to end after it was interrupted because its time was over."""

_SHORT = 32_768
"""Characters of code that surely go in one write, so that whoever asks cannot leave in the middle of it."""


class CellRun:
    """Implements hearing.Hearer; one task reads by `next`."""

    def __init__(self, interpreter: Interpreter, cell: Cell, spills: Spills) -> None:
        """Nothing is sent before `next`."""
        self._interpreter, self._cell = interpreter, cell
        limit = int(cell.output_limit)
        self._feed = CellFeed(limit, spills.spill(limit))
        self._sending: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._gone: asyncio.Event | None = None  # of whoever waits for its end without reading
        self._end = Finished(CellStatus.DIED)
        self._started = 0.0
        self.is_asking = False
        self._is_sent = self._has_begun = self._is_to_stop = self._is_overdue = self._is_over = False

    async def next(self) -> CellEvent:
        """The next event; the last is Finished."""
        if not self._is_sent:
            await self._send()
        event = await self._feed.get()
        while event is None:
            spilled = await self._feed.rest()
            self._feed.finish(replace(self._end, dropped=self._feed.budget.dropped, spilled=spilled))
            event = await self._feed.get()
        # What a thread of the cell prints meanwhile takes nothing back.
        self.is_asking = isinstance(event, InputAsked) or (self.is_asking and not isinstance(event, Finished))
        return event

    async def answer(self, text: str) -> None:
        """Give it the line it asked for."""
        self.is_asking = False
        await self._interpreter.answer(text)

    def interrupt(self) -> None:
        """As Ctrl-C; of a cell that was sent and has not begun, once it has."""
        self._is_to_stop = True
        if self._has_begun:
            self._interpreter.interrupt()

    async def settle(self) -> None:
        """Whoever read is done with it: end it if it still runs."""
        if not self._is_sent or self._feed.is_finished:
            return
        self._feed.hurry()
        if not self._is_over:
            await asyncio.shield(self._put_down("its reader went away"))
        await asyncio.shield(self._feed.rest())

    # What its interpreter tells.

    async def begun(self, event: Begun) -> None:
        """It runs now."""
        self._started = time.monotonic()  # some loops count whole milliseconds
        self._has_begun = True
        self._end = Finished(CellStatus.DIED, event.execution_count)
        if self._is_to_stop:
            self._interpreter.interrupt()
        if self._cell.timeout is not None:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(self._cell.timeout, self._time_out)
        await self._feed.put(event)

    async def told(self, event: CellEvent) -> None:
        """It brought *event* forth; waits while its reader is behind."""
        await self._feed.put(event)

    def hurry(self) -> None:
        """Wait for the reader no longer."""
        self._feed.hurry()

    def over(self, done: Done | None) -> None:
        """It has ended; None: with its interpreter."""
        self._is_over = True
        if self._alarm is not None:
            self._alarm.cancel()
        duration = time.monotonic() - self._started if self._has_begun else 0.0
        status = CellStatus.DIED if done is None else done.status
        if self._is_overdue:
            status = CellStatus.TIMEOUT
        ending, detail = self._interpreter.ending, None
        if done is None and ending is not None:
            detail = f"{ending.end.value}: {ending.detail}" if ending.detail else ending.end.value
        self._end = replace(self._end, status=status, duration=duration, detail=detail)
        self._feed.close()
        if self._gone is not None:
            self._gone.set()

    async def _send(self) -> None:
        cell, self._is_sent = self._cell, True
        request = {"code": cell.code, "store": cell.store_history, "silent": cell.silent}
        request |= {"input": cell.allow_input, "expressions": dict(cell.expressions)}
        sending = self._interpreter.begin(self, request)
        if len(cell.code) + sum(map(len, cell.expressions.values())) <= _SHORT:
            await sending
        else:
            self._sending = asyncio.ensure_future(sending)
            await asyncio.shield(self._sending)

    def _time_out(self) -> None:
        self._is_overdue = True
        self._feed.hurry()
        why = f"a cell did not heed the interrupt when its {self._cell.timeout:g} s were over"
        task = asyncio.ensure_future(self._put_down(why))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _put_down(self, why: str) -> None:
        """Interrupt it, and when it does not end by that, kill its context."""
        if self._is_over:
            return
        self.interrupt()
        self._gone = self._gone or asyncio.Event()
        try:
            async with asyncio.timeout(INTERRUPT_PATIENCE):
                await self._gone.wait()
        except TimeoutError:
            await self._interpreter.kill(ContextEnd.TIMEOUT, why)
