"""One life of a context: its program in the box, the lines it is sent and the lines it sends.

Theory. It is a command like others on a stream of its own. Requests are its standard input, events come as
its value, and what its child processes write comes as output. One request is under way at a time: a cell,
whose events go to a CellFeed, or a question, whose reply is awaited. What is told while nothing is under way,
by threads that run on, waits within bounds for the next cell.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Any

from sandlot.contracts.cells import CellEvent, Streamed, StreamName
from sandlot.contracts.contexts import ContextEnd, ContextEnding, ContextFacts
from sandlot.contracts.errors import Conflict, SandlotError, StartFailed, Unsupported
from sandlot.contracts.events import Event, Failed, Returned, Started, Stderr, Stdout
from sandlot.contracts.result import error_of
from sandlot.wire import context_lines
from sandlot.wire.context_lines import Began, Done, Ready, Refused, Reply, Told
from sandlot.wire.frames import Kind
from sandlot.wire.lines import LineError, LineReader

from . import asking, running
from .calls import Calls
from .connection import ConnectionEnded, Saying, Stream, StreamEnded
from .context_end import concluded
from .hearing import Hearer, heard
from .value import Value

START_PATIENCE = 60.0
"""Seconds an interpreter has to start; IPython on a cold and busy machine takes several."""

CLOSE_PATIENCE = 0.5
"""Seconds an idle interpreter has to end by itself, its files written, before it is killed."""

_MOST_EARLY = 65_536
_SIGINT = 2


class _Pieces(Value):
    """Hands a context's value on piece by piece instead of collecting it."""

    def add(self, data: bytes) -> Event | None:
        return Returned(data)


class Interpreter:
    """A running interpreter; made by `start`."""

    def __init__(self, calls: Calls, stream: Stream, held: AsyncExitStack, fields: Mapping[str, Any]) -> None:
        """Hold a stream whose request, of *fields*, is *held* open."""
        self._calls, self._stream, self._held, self._fields = calls, stream, held, fields
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[ContextFacts] = loop.create_future()
        self._ended: asyncio.Future[ContextEnding] = loop.create_future()
        self._why: ContextEnding | None = None
        self._lines = LineReader()
        self._number = 0
        self._cell: Hearer | None = None
        self._has_begun = False
        self._asked: asyncio.Future[Reply | None] | None = None  # None when the interpreter ends
        self._early: list[CellEvent] = []
        self._early_size = 0
        self._decoders = {
            name: codecs.getincrementaldecoder("utf-8")("backslashreplace") for name in StreamName
        }
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def start(cls, calls: Calls, fields: Mapping[str, Any]) -> Interpreter:
        """Start one; *fields* are those of its `run`. Raises StartFailed, BoxDied, and as the agent tells."""
        found = await cls._opened(calls, fields)
        await found.stand()
        return found

    @classmethod
    async def _opened(cls, calls: Calls, fields: Mapping[str, Any]) -> Interpreter:
        async with AsyncExitStack() as held:
            said = (Saying(Kind.SOURCE_END),)
            stream = await held.enter_async_context(calls.request("run", said, **fields))
            return cls(calls, stream, held.pop_all(), fields)

    async def fork(self) -> Interpreter:
        """A copy of it, which nothing may run in meanwhile. Raises Conflict, BoxDied, and as the agent tells.

        The agent opens the copy's stream and sends its pipes to the program, which is asked to fork then.
        """
        copy = await self._opened(self._calls, {**self._fields, "env": {}, "branch": self._process})
        try:
            reply = await self.ask("fork")
            if reply is None:
                raise Conflict("the interpreter died when it was copied: restart it, or open another")
            if reply.error is not None and reply.value.get("given") is not False:
                raise Conflict(f"the context cannot be copied: {reply.error}")
        except BaseException:
            await copy.kill(ContextEnd.CLOSED, "it was not copied")
            raise
        await copy.stand()
        return copy

    async def stand(self) -> None:
        """Wait until it can run cells. Raises as `start`, and it is ended then."""
        try:
            await self._come_up()
        except BaseException:
            await self.kill(ContextEnd.CLOSED, "it did not start")
            raise

    @property
    def facts(self) -> ContextFacts:
        """What it said of itself."""
        return self._ready.result()

    @property
    def ending(self) -> ContextEnding | None:
        """How it ended; None while it lives."""
        return self._ended.result() if self._ended.done() else None

    async def ended(self) -> ContextEnding:
        """Wait for its end."""
        return await asyncio.shield(self._ended)

    async def begin(self, cell: Hearer, request: Mapping[str, Any]) -> None:
        """Send a cell, which hears of itself from now on, up to `over`."""
        self._cell, self._has_begun = cell, False
        await self._say("execute", request)

    async def ask(self, do: str, **request: Any) -> Reply | None:
        """The reply to a question; None when the interpreter died over it."""
        self._asked = asyncio.get_running_loop().create_future()
        await self._say(do, request)
        try:
            return await self._asked
        finally:
            self._asked = None

    async def answer(self, text: str) -> None:
        """Send the line that a cell asked for."""
        await self._send(context_lines.request_line("answer", self._number, text=text))

    def interrupt(self) -> None:
        """SIGINT, to it and what it started in its process group."""
        self._stream.post(Kind.SIGNAL, {"signal": _SIGINT})

    async def close(self) -> ContextEnding:
        """Let it end by itself when it is idle, else kill it."""
        if self._cell is None and self._asked is None and self.ending is None:
            self._why = ContextEnding(ContextEnd.CLOSED)
            self._stream.post(Kind.INPUT_END)
            await asyncio.wait([self._ended], timeout=CLOSE_PATIENCE)
        return await self.kill(ContextEnd.CLOSED)

    async def kill(self, end: ContextEnd, detail: str = "") -> ContextEnding:
        """End it now, with everything it started; idempotent."""
        if self.ending is None:
            self._why = self._why or ContextEnding(end, detail)
            self._hurry()
            self._stream.post(Kind.CANCEL)
            await asyncio.wait([self._reading], timeout=self._calls.patience.cancel)
            if not self._reading.done():
                self._calls.distrust("the agent did not end a context that was cancelled")
        return await self.ended()

    async def _come_up(self) -> None:
        waited = (self._ready, self._ended)
        await asyncio.wait(waited, timeout=START_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if self._ready.done():
            return
        if not self._ended.done():
            raise StartFailed(f"the context did not start within {START_PATIENCE:g} s: try a smaller one")
        if self._refusal is not None:
            raise self._refusal
        if self._ended.result().end is ContextEnd.BOX_DIED:
            raise await self._calls.died()
        raise StartFailed(f"the context ended before it could run a cell: {self._ended.result().detail}")

    _refusal: SandlotError | None = None
    _process = ""

    async def _say(self, do: str, request: Mapping[str, Any]) -> None:
        self._number += 1
        if self._ended.done():
            self._give_up()
        await self._send(context_lines.request_line(do, self._number, **request))

    async def _send(self, line: bytes) -> None:
        try:
            await self._stream.send(Kind.INPUT, line)
        except (StreamEnded, ConnectionEnded):
            return  # its end is told to whoever waits

    async def _read(self) -> None:
        """Take in everything until it ends."""
        run = running.Run(self._calls, self._stream, None, asking.UNBOUNDED, _Pieces())
        end: Event | None = None
        try:
            async with aclosing(run.events()) as events:
                async for event in events:
                    end = event
                    await self._take(event)
        finally:
            self._ended.set_result(concluded(end, self._why))
            self._give_up()
            await self._held.aclose()

    def _give_up(self) -> None:
        """Nobody tells any more what is waited for."""
        self._end_cell(None)
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(None)

    def _end_cell(self, done: Done | None) -> None:
        cell, self._cell = self._cell, None
        if cell is not None:
            cell.over(done)

    def _hurry(self) -> None:
        if self._cell is not None:
            self._cell.hurry()

    async def _take(self, event: Event) -> None:
        if isinstance(event, Started):
            self._process = event.process
        elif isinstance(event, Stdout):
            await self._output(StreamName.STDOUT, event.data)
        elif isinstance(event, Stderr):
            await self._output(StreamName.STDERR, event.data)
        elif isinstance(event, Failed):
            self._refusal = error_of(event)
        elif isinstance(event, Returned) and self._why is None:
            try:
                await self._hear_all(event.value)
            except LineError as error:
                self._why = ContextEnding(ContextEnd.BROKEN, str(error))
                self._hurry()
                self._stream.post(Kind.CANCEL)

    async def _hear_all(self, data: bytes) -> None:
        found = await heard(self._lines.feed(data))
        for told in found.told:
            await self._hear(told)
        if found.error is not None:
            raise found.error

    async def _hear(self, told: Told) -> None:
        if isinstance(told, Ready):
            if self._ready.done():
                raise LineError("it said twice that it is ready")
            self._ready.set_result(told.facts)
        elif isinstance(told, Refused):
            self._refusal = Unsupported(told.message)
        elif isinstance(told, Began):
            await self._begin(told)
        elif isinstance(told, (Done, Reply)):
            self._conclude(told)
        else:
            await self._pass_on(told)

    async def _begin(self, told: Began) -> None:
        cell = self._cell
        if told.id != self._number or cell is None or self._has_begun:
            raise LineError("it began a cell that nobody gave it")
        self._has_begun = True
        early, self._early, self._early_size = self._early, [], 0
        await cell.begun(told.event)
        for event in early:
            await cell.told(event)

    def _conclude(self, told: Done | Reply) -> None:
        is_asked = self._asked is not None and not self._asked.done()
        if told.id != self._number or (self._cell is None and not is_asked):
            raise LineError("it answered what nobody asked")
        if isinstance(told, Done):
            if self._cell is None or not self._has_begun:
                raise LineError("it ended a question as a cell, or a cell before it began")
            self._end_cell(told)
        elif self._asked is None or not is_asked:
            raise LineError("it ended a cell as a question")
        else:
            self._asked.set_result(told)

    async def _output(self, name: StreamName, data: bytes) -> None:
        text = self._decoders[name].decode(data)
        if text:
            await self._pass_on(Streamed(name, text))

    async def _pass_on(self, event: CellEvent) -> None:
        if self._cell is not None and self._has_begun:
            await self._cell.told(event)
        elif isinstance(event, Streamed) and self._early_size < _MOST_EARLY:
            self._early.append(event)
            self._early_size += len(event.text)
