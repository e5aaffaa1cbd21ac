"""BoxContext: a context of a box, whichever interpreter it has at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sandlot.contracts.cells import (
    LARGEST_ANSWER,
    LARGEST_CELL,
    Cell,
    CellEvent,
    CellStatus,
    Finished,
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
from sandlot.wire import context_answers
from sandlot.wire.context_lines import Reply
from sandlot.wire.lines import LineError

from .branches import DEAD, Branches, Home
from .cell_run import INTERRUPT_PATIENCE, CellRun
from .interpreter import Interpreter

MOST_WAITING = 100
"""Cells and questions that may wait for their turn in one context."""

QUESTION_PATIENCE = 20.0
"""Seconds the answer to a question may take: objects of the user have a say in it."""

_Read = TypeVar("_Read")


class BoxContext(Branches):
    """Implements contracts.contexts.Context; made by BoxContexts.add_context."""

    def __init__(self, name: str, spec: ContextSpec, home: Home, interpreter: Interpreter) -> None:
        """Hold *interpreter*, which runs in the box that *home* is."""
        self.id, self.spec = name, spec
        self._home, self._interpreter, self._kept = home, interpreter, {}
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
                self._running = run = CellRun(interpreter, cell, self._home.spills)
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
            self._interpreter = await self._home.start_interpreter(self.spec)

    async def complete(self, code: str, cursor: int) -> Completions:
        reply = await self._ask("complete", code=code, cursor=_within(cursor, code))
        return await self._read(lambda: context_answers.completions_from(reply.value, code))

    async def inspect(self, code: str, cursor: int, *, detail: int = 0) -> Inspection:
        asked = {"code": code, "cursor": _within(cursor, code), "detail": 1 if detail else 0}
        reply = await self._ask("inspect", **asked)
        return await self._read(lambda: context_answers.inspection_from(reply.value))

    async def is_complete(self, code: str) -> Judgement:
        sound_text(code, LARGEST_CELL, "the code")
        reply = await self._ask("is_complete", code=code)
        return await self._read(lambda: context_answers.judgement_from(reply.value))

    async def history(self, most: int = 100) -> tuple[HistoryEntry, ...]:
        reply = await self._ask("history", most=max(0, min(most, 1000)))
        return await self._read(lambda: context_answers.history_from(reply.value))

    async def ended(self) -> ContextEnding:
        return await self._interpreter.ended()

    async def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._home.forget_context(self.id)
        await self._discard_all()
        await self._interpreter.close()

    async def _read(self, read: Callable[[], _Read]) -> _Read:
        """What *read* makes of a reply; one that cannot be read costs the interpreter its life."""
        try:
            return read()
        except LineError as error:
            await self._interpreter.kill(ContextEnd.BROKEN, str(error))
            raise Conflict(DEAD.format(self._told_end())) from None

    async def _ask(self, do: str, **request: Any) -> Reply:
        async with self._place() as interpreter:
            if interpreter is None or interpreter.ending is not None:
                raise Conflict(DEAD.format(self._told_end()))
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
            raise Conflict(DEAD.format(self._told_end()))
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
            return "it was restarted or rolled back"
        return f"{ending.end.value}: {ending.detail}" if ending.detail else ending.end.value


def _within(cursor: int, code: str) -> int:
    if not 0 <= cursor <= len(sound_text(code, LARGEST_CELL, "the code")):
        raise InvalidSpec(f"the cursor {cursor} is not within the {len(code)} characters of code")
    return cursor
