"""A terminal on a server, for tasks."""

from __future__ import annotations

from contextlib import suppress
from typing import AsyncIterator

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.errors import ConnectionLost
from sandlot.contracts.events import Event, Exited, Failed
from sandlot.transport.base import AsyncTransport, AsyncWebSocket
from sandlot.wire.flows import terminals


class AsyncRemoteTerminal:
    """Implements contracts.engine.Terminal."""

    def __init__(self, socket: AsyncWebSocket) -> None:
        """Hold an open terminal; prefer AsyncRemoteBox.open."""
        self._socket = socket

    @classmethod
    async def start(cls, transport: AsyncTransport, sandbox: str, command: Command) -> AsyncRemoteTerminal:
        """Open a terminal in *sandbox*."""
        return cls(await transport.websocket(terminals.opening(sandbox, command), [terminals.PROTOCOL]))

    async def events(self) -> AsyncIterator[Event]:
        while True:
            message = await self._socket.receive()
            if message is None:
                raise ConnectionLost(terminals.broken(self._socket.ending))
            event = terminals.event_of(message)
            if event is not None:
                yield event
            if isinstance(event, (Exited, Failed)):
                return

    async def type(self, data: bytes) -> None:
        """As Terminal.type; what is typed after the end is dropped."""
        with suppress(ConnectionLost):
            for piece in terminals.slices(data):
                await self._socket.send_bytes(piece)

    async def resize(self, size: TerminalSize) -> None:
        with suppress(ConnectionLost):
            await self._socket.send_text(terminals.resizing(size))

    async def close(self) -> None:
        await self._socket.close()
