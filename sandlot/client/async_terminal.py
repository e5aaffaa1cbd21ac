"""A terminal on a server, for tasks."""

from __future__ import annotations

from contextlib import suppress
from typing import AsyncIterator, Optional

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.errors import ConnectionLost
from sandlot.contracts.events import Event, Exited, Failed
from sandlot.transport.base import AsyncTransport, AsyncWebSocket
from sandlot.wire.flows import terminals


class AsyncRemoteTerminal:
    """Implements contracts.engine.Terminal."""

    def __init__(
        self, socket: AsyncWebSocket, transport: Optional[AsyncTransport] = None, sandbox: str = ""
    ) -> None:
        """Hold an open terminal of *sandbox*; prefer AsyncRemoteBox.open."""
        self._socket, self._transport, self._sandbox = socket, transport, sandbox
        self._name, self._seen = "", 0

    @classmethod
    async def start(cls, transport: AsyncTransport, sandbox: str, command: Command) -> AsyncRemoteTerminal:
        """Open a terminal in *sandbox* that `resume` can take up again."""
        request = terminals.opening(sandbox, command, is_kept=True)
        return cls(await transport.websocket(request, [terminals.PROTOCOL]), transport, sandbox)

    async def events(self) -> AsyncIterator[Event]:
        while True:
            message = await self._socket.receive()
            if message is None:
                raise ConnectionLost(terminals.broken(self._socket.ending))
            if isinstance(message, bytes):
                self._seen += len(message)
            self._name = self._name or terminals.name_in(message)
            event = terminals.event_of(message)
            if event is not None:
                yield event
            if isinstance(event, (Exited, Failed)):
                return

    @property
    def is_resumable(self) -> bool:
        """Whether `resume` may help after `events` has raised ConnectionLost."""
        return bool(self._name) and terminals.is_lost(self._socket.ending)

    async def resume(self) -> int:
        """Take the terminal up again after its connection was lost, and then `events`.

        How many bytes of its output are lost, because it wrote more than the server keeps. Raises
        ConnectionLost while the server cannot be reached, NotFound when it has given the terminal up.
        """
        if self._transport is None or not self._name:
            raise ConnectionLost("the terminal has no name by which it could be taken up again")
        request = terminals.resuming(self._sandbox, self._name, self._seen)
        socket = await self._transport.websocket(request, [terminals.PROTOCOL])
        missed = terminals.missed_in(await socket.receive())
        self._socket, self._seen = socket, self._seen + missed
        return missed

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
