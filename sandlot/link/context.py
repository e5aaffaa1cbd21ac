"""BoxContext: a context of a box, whichever interpreter it has at the moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sandlot.contracts.cells import (
    LARGEST_ANSWER,
    LARGEST_CELL,
    Begun,
    Cell,
    CellEvent,
    CellStatus,
    Finished,
    InputAsked,
    sound_text,
)
from sandlot.contracts.contexts import (
    Completions,
    ContextEnd,
    ContextEnding,
    ContextFacts,
    ContextSpec,
    HistoryEntry,
    Inspection,
    Judgement,
)
from sandlot.contracts.errors import Conflict, InvalidSpec, TimedOut
from sandlot.wire import context_lines
from sandlot.wire.context_lines import Done, Reply
from sandlot.wire.lines import LineError

from .cell_feed import CellFeed
from .interpreter import Interpreter

MOST_WAITING = 100
"""Cells and questions that may wait for their turn in one context."""

INTERRUPT_PATIENCE = 2.0
"""Seconds a cell has to end after it was interrupted because its time was over."""

QUESTION_PATIENCE = 20.0
"""Seconds the answer to a question may take: objects of the user have a say in it."""

_DEAD = "the context's interpreter has ended ({}): restart it, or open another"

_Read = TypeVar("_Read")
Start = Callable[[], Awaitable[Interpreter]]


class BoxContext:
    """Implements contracts.contexts.Context; made by BoxContexts.open_context."""

    def __init__(
        self, name: str, spec: ContextSpec, start: Start, interpreter: Interpreter, closed: Callable[[], None]
    ) -> None:
        """Hold *interpreter*, which *start* made; *closed* is called once."""
        self.id, self.spec = name, spec
        self._start, self._interpreter, self._closed = start, interpreter, closed
        self._turn, self._restarting = asyncio.Lock(), asyncio.Lock()
        self._waiting = 0
        self._running: CellRun | None = None
        self._is_closed = False

    @property
    def facts(self) -> ContextFacts:
        """What the interpreter said of itself."""
        return self._interpreter.facts

    async def run(self, cell: Cell) -> AsyncGenerator[CellEvent, None]:
        # The turn is given back before the last event: who stops reading there holds up nobody.
        async with self._place() as interpreter:
            if interpreter is None or interpreter.ending is not None:
                end: CellEvent = Finished(CellStatus.DIED, detail=self._told_end())
            else:
                self._running = run = CellRun(interpreter, cell)
                try:
                    while not isinstance(event := await run.next(), Finished):
                        yield event
                    end = event
                finally:
                    await run.settle()
                    self._running = None
        yield end

    async def answer(self, text: str) -> None:
        if "\n" in sound_text(text, LARGEST_ANSWER, "an answer"):
            raise InvalidSpec("an answer is one line: leave the line end out")
        if self._running is None or not self._running.is_asking:
            raise Conflict("no cell of this context asks for input: wait for InputAsked")
        await self._running.answer(text)

    async def interrupt(self) -> None:
        if self._running is not None:
            self._running.interrupt()

    async def restart(self) -> None:
        async with self._restarting:
            if self._is_closed:
                raise Conflict("the context was closed: open another")
            await self._interpreter.close()
            self._interpreter = await self._start()

    async def complete(self, code: str, cursor: int) -> Completions:
        reply = await self._ask("complete", code=code, cursor=_within(cursor, code))
        return await self._read(lambda: context_lines.completions_from(reply.value, code))

    async def inspect(self, code: str, cursor: int, *, detail: int = 0) -> Inspection:
        asked = {"code": code, "cursor": _within(cursor, code), "detail": 1 if detail else 0}
        reply = await self._ask("inspect", **asked)
        return await self._read(lambda: context_lines.inspection_from(reply.value))

    async def is_complete(self, code: str) -> Judgement:
        sound_text(code, LARGEST_CELL, "the code")
        reply = await self._ask("is_complete", code=code)
        return await self._read(lambda: context_lines.judgement_from(reply.value))

    async def history(self, most: int = 100) -> tuple[HistoryEntry, ...]:
        reply = await self._ask("history", most=max(0, min(most, 1000)))
        return await self._read(lambda: context_lines.history_from(reply.value))

    async def ended(self) -> ContextEnding:
        return await self._interpreter.ended()

    async def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._closed()
        await self._interpreter.close()

    async def _read(self, read: Callable[[], _Read]) -> _Read:
        """What *read* makes of a reply; one that cannot be read costs the interpreter its life."""
        try:
            return read()
        except LineError as error:
            await self._interpreter.kill(ContextEnd.BROKEN, str(error))
            raise Conflict(_DEAD.format(self._told_end())) from None

    async def _ask(self, do: str, **request: Any) -> Reply:
        async with self._place() as interpreter:
            if interpreter is None or interpreter.ending is not None:
                raise Conflict(_DEAD.format(self._told_end()))
            asking = asyncio.ensure_future(interpreter.ask(do, **request))
            await asyncio.wait([asking], timeout=QUESTION_PATIENCE)
            is_late = not asking.done()
            if is_late:
                interpreter.interrupt()
                await asyncio.wait([asking], timeout=INTERRUPT_PATIENCE)
            if not asking.done():
                await interpreter.kill(ContextEnd.TIMEOUT, f"it did not answer {do} in time")
            reply = await asking
        if is_late:
            raise TimedOut(f"{do} took more than {QUESTION_PATIENCE:g} s: ask for less")
        if reply is None:
            raise Conflict(_DEAD.format(self._told_end()))
        if reply.error is not None:
            raise Conflict(f"{do} failed in the context: {reply.error}")
        return reply

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[Interpreter | None]:
        """A turn with the interpreter there is now; None when it was replaced before the turn came."""
        if self._waiting >= MOST_WAITING:
            raise Conflict(f"{MOST_WAITING} cells wait in this context already: wait for some to end")
        wanted = self._interpreter
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            yield wanted if wanted is self._interpreter and not self._is_closed else None
        finally:
            self._turn.release()

    def _told_end(self) -> str:
        ending = self._interpreter.ending
        if ending is None:
            return "it was restarted"
        return f"{ending.end.value}: {ending.detail}" if ending.detail else ending.end.value


class CellRun:
    """One cell under way."""

    def __init__(self, interpreter: Interpreter, cell: Cell) -> None:
        """Nothing is sent before `next`."""
        self._interpreter, self._cell = interpreter, cell
        self._feed = CellFeed(int(cell.output_limit))
        self._conducting: asyncio.Task[None] | None = None
        self.is_asking = False
        self._has_begun = self._is_to_stop = self._is_overdue = False
        self._ending: set[asyncio.Task[None]] = set()

    async def next(self) -> CellEvent:
        """The next event; the last is Finished."""
        if self._conducting is None:
            self._conducting = asyncio.ensure_future(self._conduct())
            self._conducting.add_done_callback(self._conducted)
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
        if self._conducting is None or self._conducting.done():
            return
        self._feed.hurry()
        if not self._feed.is_finished:
            await asyncio.shield(self._put_down("its reader went away"))
        await asyncio.shield(self._conducting)

    def _conducted(self, task: asyncio.Task[None]) -> None:
        """Whatever went wrong: who reads is told an end."""
        error = None if task.cancelled() else task.exception()
        self._feed.finish(Finished(CellStatus.DIED, detail=f"the cell was lost: {error!r}"))

    async def _conduct(self) -> None:
        """From the request to the end."""
        cell = self._cell
        request = {"code": cell.code, "store": cell.store_history, "silent": cell.silent}
        request["expressions"] = dict(cell.expressions)
        begun = await self._interpreter.begin(self._feed, input=cell.allow_input, **request)
        started = time.monotonic()  # some loops count whole milliseconds
        self._has_begun = True
        if self._is_to_stop:
            self._interpreter.interrupt()
        loop = asyncio.get_running_loop()
        alarm = None if cell.timeout is None else loop.call_later(cell.timeout, self._time_out)
        try:
            done = await self._interpreter.done()
        finally:
            if alarm is not None:
                alarm.cancel()
        self._feed.rest()
        self._feed.finish(self._finished(begun, done, time.monotonic() - started))

    def _finished(self, begun: Begun | None, done: Done | None, duration: float) -> Finished:
        count = 0 if begun is None else begun.execution_count
        ending = self._interpreter.ending
        status = CellStatus.DIED if done is None else done.status
        if self._is_overdue:
            status = CellStatus.TIMEOUT
        detail = None
        if done is None and ending is not None:
            detail = f"{ending.end.value}: {ending.detail}" if ending.detail else ending.end.value
        return Finished(status, count, duration, self._feed.budget.dropped, detail)

    def _time_out(self) -> None:
        self._is_overdue = True
        self._feed.hurry()
        why = f"a cell did not heed the interrupt when its {self._cell.timeout:g} s were over"
        task = asyncio.ensure_future(self._put_down(why))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _put_down(self, why: str) -> None:
        """Interrupt it, and when it does not end by that, kill its context."""
        self.interrupt()
        assert self._conducting is not None  # noqa: S101 - it runs
        await asyncio.wait([self._conducting], timeout=INTERRUPT_PATIENCE)
        if not self._conducting.done():
            await self._interpreter.kill(ContextEnd.TIMEOUT, why)


def _within(cursor: int, code: str) -> int:
    if not 0 <= cursor <= len(sound_text(code, LARGEST_CELL, "the code")):
        raise InvalidSpec(f"the cursor {cursor} is not within the {len(code)} characters of code")
    return cursor
