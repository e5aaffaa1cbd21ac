"""Cells of a context over a WebSocket: asked for by messages, ahead if one likes; told as in a stream.

Theory. Five tasks share a connection: one hears the client, one runs its cells one after the other, one tells
what they bring forth, one gives signs of life and gives a client up that reads nothing, one waits for the
server to stop. The first that ends ends the others: a cell under way is interrupted then, and those that wait
never begin.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandlot.contracts.cells import Begun, CellStatus, Finished
from sandlot.contracts.contexts import Context, ContextEnding
from sandlot.contracts.errors import Conflict, InvalidSpec, SandlotError
from sandlot.contracts.events import Failed
from sandlot.contracts.streams import ended
from sandlot.server import access, answers
from sandlot.wire import cell_messages
from sandlot.wire.cell_events import TellableEvent, ndjson
from sandlot.wire.cell_messages import PROTOCOL, Answer
from sandlot.wire.contexts import cell_from
from sandlot.wire.events import NDJSON_ALIVE

from .cell_lines import Lines
from .cells_ahead import Ahead, Asked
from .contexts import context_of
from .manners import CELLS
from .reading import refuse_hidden_slash

PATIENCE = 30.0
"""Seconds without anything taken after which a client is given up."""

_NOT_UNDERSTOOD = 1008  # RFC 6455, section 7.4.1
_STOPPING = 1012  # "service restart", of the registry of close codes, as is the next
_TOO_SLOW = 1013  # "try again later"
_LAST_WORD = 1.0
_NEVER_BEGUN = Finished(CellStatus.INTERRUPTED, detail="it was interrupted before it began")
_MAY_BE_GONE = (CellStatus.DIED, CellStatus.TIMEOUT)
_Close = tuple[int, str]


async def open_channel(socket: WebSocket) -> None:
    """WS .../contexts/{context}/channel. What is wrong at the start is raised before the handshake ends."""
    access.demand(socket, "write")
    refuse_hidden_slash(socket)
    channel = _Channel(socket, await context_of(socket))
    try:
        await socket.accept(PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", ()) else None)
        code, reason = await channel.conversation()
        if code:
            async with asyncio.timeout(_LAST_WORD):
                await socket.close(code, answers.short_reason(reason))
    except (WebSocketDisconnect, TimeoutError):  # it is gone, or does not even read the last word
        return
    finally:
        await channel.close()


class _Channel:
    """One connection."""

    def __init__(self, socket: WebSocket, context: Context) -> None:
        """For cells in *context*."""
        self._socket, self._context = socket, context
        self._end = _ending(context)
        self._lines, self._ahead = Lines(), Ahead()
        self._running: asyncio.Task[_Close] | None = None
        self._has_died = False
        self._is_silent = True
        self._sending_since: float | None = None

    async def conversation(self) -> _Close:
        """The code to close with, and why, when one side has had enough; 0 is a client that is gone."""
        self._running = asyncio.ensure_future(self._run())
        sides = [self._running, *map(asyncio.ensure_future, (self._tell(), self._listen(), self._beat()))]
        stopping = asyncio.ensure_future(self._stop())
        try:
            done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await answers.cancelled([*sides, stopping])
        return done.pop().result()

    async def close(self) -> None:
        """Let go of the context, which lives on."""
        await answers.cancelled([self._end])

    async def _run(self) -> _Close:
        while True:
            asked = await self._ahead.begin()
            try:
                await self._run_one(asked)
            except SandlotError as error:
                await self._conclude(asked, Failed(error.code, error.message))
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not asked.is_unwanted or task is None or task.uncancel():
                    raise
                await self._conclude(asked, _NEVER_BEGUN)
            self._ahead.end()

    async def _run_one(self, asked: Asked) -> None:
        if self._end.done() or self._has_died:  # the default one is replaced then; another may be closed
            self._end.cancel()
            self._context = await context_of(self._socket)
            self._end, self._has_died = _ending(self._context), False
        async with ended(self._context.run(asked.cell)) as events:
            async for event in events:
                asked.note(event)
                self._has_died = isinstance(event, Finished) and event.status in _MAY_BE_GONE
                for part in CELLS.parts(event):
                    await self._say(asked, part)

    async def _conclude(self, asked: Asked, event: Finished | Failed) -> None:
        """Tell the last of a cell, of which its context tells no more."""
        asked.is_over = True
        await self._say(asked, event)

    async def _say(self, asked: Asked, event: TellableEvent) -> None:
        asked.number += 1
        if isinstance(event, Begun):  # most cells tell more at once
            about = {"cell": asked.name, "context": self._context.id}
            self._lines.add_soon(ndjson(asked.number, event, **about))
        else:
            await self._lines.add(ndjson(asked.number, event, cell=asked.name))

    async def _tell(self) -> _Close:
        clock = asyncio.get_running_loop().time
        while (message := await self._lines.taken()) is not None:
            self._is_silent, self._sending_since = False, clock()
            await self._socket.send_text(message)
            self._sending_since = None
        return _STOPPING, "the server is stopping: connect again in some seconds"

    async def _beat(self) -> _Close:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(answers.PULSE_SECONDS)
            if self._sending_since is not None and clock() - self._sending_since > PATIENCE:
                return _TOO_SLOW, f"nothing was read for {PATIENCE:g} s"
            if self._is_silent and self._ahead.running is not None and self._sending_since is None:
                await self._lines.add(NDJSON_ALIVE)
            self._is_silent = True

    async def _stop(self) -> None:
        """When the server stops: take no more cells, and part when those that were taken are told."""
        await access.context_of(self._socket).lifecycle.draining.wait()
        await self._ahead.emptied()
        self._lines.finish()

    async def _listen(self) -> _Close:
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            try:
                await self._take(message)
            except InvalidSpec as error:
                return _NOT_UNDERSTOOD, error.message
        return 0, ""

    async def _take(self, message: Message) -> None:
        text = message.get("text")
        if text is None:
            raise InvalidSpec("a message about a cell is text")
        name, value = cell_messages.parted(text)
        asked = self._ahead.found(name)
        if cell_messages.is_asking(value):
            if asked is not None:
                raise InvalidSpec(f"a cell {name!r} is under way on this connection: give each its own name")
            await self._ask(Asked(name), value)
            return
        said = cell_messages.said_from(value)
        if asked is None or asked.is_over:
            return  # what is said of a cell that is over comes too late
        if isinstance(said, Answer):
            await self._answer(asked, said.text)
        else:
            await self._interrupt(asked)

    async def _ask(self, asked: Asked, value: dict[str, Any]) -> None:
        try:
            asked.cell = cell_from(value)
            self._ahead.add(asked)
        except SandlotError as error:
            await self._say(asked, Failed(error.code, error.message))

    async def _answer(self, asked: Asked, text: str) -> None:
        if asked.is_asking:
            asked.is_asking = False
            with suppress(Conflict):  # it was interrupted meanwhile
                await self._context.answer(text)

    async def _interrupt(self, asked: Asked) -> None:
        if asked is not self._ahead.running:
            self._ahead.drop(asked)
            await self._say(asked, _NEVER_BEGUN)
        elif asked.has_begun:
            await self._context.interrupt()
        elif self._running is not None:
            asked.is_unwanted = True
            self._running.cancel()


def _ending(context: Context) -> asyncio.Task[ContextEnding]:
    """Done when the interpreter of *context* is gone."""
    return asyncio.create_task(context.ended())
