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

from sandlot.contracts.cells import Begun, CellEvent, Streamed, StreamName
from sandlot.contracts.contexts import ContextEnd, ContextEnding, ContextFacts
from sandlot.contracts.errors import Conflict, SandlotError, StartFailed, Unsupported
from sandlot.contracts.events import Event, Failed, Returned, Started, Stderr, Stdout
from sandlot.contracts.result import error_of
from sandlot.wire import context_lines
from sandlot.wire.context_lines import Began, Done, Ready, Refused, Reply, Told
from sandlot.wire.frames import Kind
from sandlot.wire.lines import LineError, LineReader

from . import running
from .calls import Calls
from .cell_feed import CellFeed
from .connection import ConnectionEnded, Saying, Stream, StreamEnded
from .context_end import concluded
from .hearing import heard
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
        self._feed: CellFeed | None = None
        # Whoever waits for one of these is given None when the interpreter ends.
        self._awaited: asyncio.Future[Done | Reply | None] | None = None
        self._began: asyncio.Future[Begun | None] | None = None
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

    async def begin(self, feed: CellFeed, **request: Any) -> Begun | None:
        """Send a cell whose events *feed* gets from now on; Begun, or None when it died before."""
        loop = asyncio.get_running_loop()
        self._feed, self._began = feed, loop.create_future()
        self._awaited = loop.create_future()
        await self._say("execute", **request)
        return await self._began

    async def done(self) -> Done | None:
        """How the cell ended; None when the interpreter died in it."""
        found = await self._settled()
        return found if isinstance(found, Done) else None

    async def ask(self, do: str, **request: Any) -> Reply | None:
        """The reply to a question; None when the interpreter died over it."""
        self._awaited = asyncio.get_running_loop().create_future()
        await self._say(do, **request)
        found = await self._settled()
        return found if isinstance(found, Reply) else None

    async def answer(self, text: str) -> None:
        """Send the line that a cell asked for."""
        await self._send(context_lines.request_line("answer", self._number, text=text))

    def interrupt(self) -> None:
        """SIGINT, to it and what it started in its process group."""
        self._stream.post(Kind.SIGNAL, {"signal": _SIGINT})

    async def close(self) -> ContextEnding:
        """Let it end by itself when it is idle, else kill it."""
        if self._awaited is None and self.ending is None:
            self._why = ContextEnding(ContextEnd.CLOSED)
            self._stream.post(Kind.INPUT_END)
            await asyncio.wait([self._ended], timeout=CLOSE_PATIENCE)
        return await self.kill(ContextEnd.CLOSED)

    async def kill(self, end: ContextEnd, detail: str = "") -> ContextEnding:
        """End it now, with everything it started; idempotent."""
        if self.ending is None:
            self._why = self._why or ContextEnding(end, detail)
            if self._feed is not None:
                self._feed.hurry()
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

    async def _settled(self) -> Done | Reply | None:
        assert self._awaited is not None  # noqa: S101 - set by who calls this
        try:
            return await self._awaited
        finally:
            self._awaited = self._feed = self._began = None

    async def _say(self, do: str, **request: Any) -> None:
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
        run = running.Run(self._calls, self._stream, None, running.UNBOUNDED, _Pieces())
        end: Event | None = None
        try:
            async with aclosing(run.events()) as events:
                async for event in events:
                    end = event
                    await self._take(event)
        finally:
            self._ended.set_result(concluded(end, self._why))
            self._give_up()
            if self._feed is not None:
                self._feed.hurry()
            await self._held.aclose()

    def _give_up(self) -> None:
        waiting: tuple[asyncio.Future[Any] | None, ...] = (self._began, self._awaited)
        for each in waiting:
            if each is not None and not each.done():
                each.set_result(None)

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
                async with aclosing(heard(self._lines.feed(event.value))) as told:
                    async for each in told:
                        await self._hear(each)
            except LineError as error:
                self._why = ContextEnding(ContextEnd.BROKEN, str(error))
                if self._feed is not None:
                    self._feed.hurry()
                self._stream.post(Kind.CANCEL)

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
        began, feed = self._began, self._feed
        if told.id != self._number or began is None or feed is None or began.done():
            raise LineError("it began a cell that nobody gave it")
        early, self._early, self._early_size = self._early, [], 0
        began.set_result(told.event)
        for event in (told.event, *early):
            await feed.put(event)

    def _conclude(self, told: Done | Reply) -> None:
        is_cell = self._began is not None and self._began.done()
        if told.id != self._number or self._awaited is None or self._awaited.done():
            raise LineError("it answered what nobody asked")
        if isinstance(told, Done) != is_cell:
            raise LineError("it ended a question as a cell, or a cell as a question")
        self._awaited.set_result(told)

    async def _output(self, name: StreamName, data: bytes) -> None:
        text = self._decoders[name].decode(data)
        if text:
            await self._pass_on(Streamed(name, text))

    async def _pass_on(self, event: CellEvent) -> None:
        is_running = self._feed is not None and self._began is not None and self._began.done()
        if is_running and self._feed is not None:
            await self._feed.put(event)
        elif isinstance(event, Streamed) and self._early_size < _MOST_EARLY:
            self._early.append(event)
            self._early_size += len(event.text)
