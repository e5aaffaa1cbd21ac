"""Where the cells of a client go, for tasks: the twin of `channels`."""

from __future__ import annotations

import asyncio
from typing import AsyncGenerator, Callable, Optional

from sandlot.contracts.cells import Cell
from sandlot.contracts.errors import SandlotError
from sandlot.contracts.streams import ended
from sandlot.transport.base import AsyncTransport, AsyncWebSocket
from sandlot.wire.cell_events import TellableEvent
from sandlot.wire.flows import channels, contexts
from sandlot.wire.flows.exchange import STREAMING, Stream

from .kept import Kept, Place

Streaming = Callable[[Stream[TellableEvent]], AsyncGenerator[TellableEvent, None]]
"""As channels.Streaming."""


class AsyncChannels:
    """As Channels, for one event loop."""

    def __init__(self, transport: AsyncTransport, by_request: Streaming) -> None:
        """As Channels."""
        self._transport, self._streamed = transport, by_request
        self._kept: Kept[AsyncWebSocket] = Kept()
        self._is_without = False
        self._turn: Optional[asyncio.Lock] = None

    async def run(self, place: Place, cell: Cell) -> AsyncGenerator[TellableEvent, None]:
        """As Channels.run."""
        message = channels.asking(cell)
        socket = None if message is None else await self._asked(place, message)
        if socket is None:
            async with ended(self._by_request(place, cell)) as events:
                async for event in events:
                    yield event
            return
        heard = channels.Heard()
        try:
            while not heard.is_whole:
                for event in heard.take(await socket.receive(STREAMING), socket.ending):
                    yield event
        finally:
            excess = self._kept.keep(place, socket) if heard.is_whole else socket
            if excess is not None:
                await excess.close()

    async def forget(self, sandbox: str, context: Optional[str] = None) -> None:
        """As Channels.forget."""
        for socket in self._kept.drop(sandbox, context):
            await socket.close()

    async def close(self) -> None:
        """As Channels.close."""
        for socket in self._kept.drop():
            await socket.close()

    async def _asked(self, place: Place, message: str) -> Optional[AsyncWebSocket]:
        """One that was sent *message*; None where there is none to be had.

        One after the other, so that cells of one context arrive in the order in which they were begun.
        """
        if self._turn is None:  # made here, where the loop runs: Python 3.8 would take another one
            self._turn = asyncio.Lock()
        async with self._turn:
            socket = await self._socket(place)
            if socket is not None:
                await socket.send_text(message)
            return socket

    async def _socket(self, place: Place) -> Optional[AsyncWebSocket]:
        while (kept := self._kept.take(place)) is not None:
            if kept.stands():
                return kept
            await kept.close()
        if self._is_without:
            return None
        try:
            return await self._transport.websocket(
                channels.opening(*place), channels.PROTOCOLS, largest=channels.LONGEST
            )
        except SandlotError as error:
            self._is_without = not error.retryable
            return None

    async def _by_request(self, place: Place, cell: Cell) -> AsyncGenerator[TellableEvent, None]:
        try:
            async with ended(self._streamed(contexts.run(*place, cell))) as events:
                async for event in events:
                    yield event
        except SandlotError:
            self._is_without = False
            raise
