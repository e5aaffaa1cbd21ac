"""A terminal on a server, for threads: one may type while another reads."""

from __future__ import annotations

from contextlib import suppress
from typing import Iterator

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.errors import ConnectionLost
from sandlot.contracts.events import Event, Exited, Failed
from sandlot.transport.base import SyncTransport, SyncWebSocket
from sandlot.wire.flows import terminals


class RemoteTerminal:
    """As contracts.engine.Terminal, without async."""

    def __init__(self, socket: SyncWebSocket) -> None:
        """Hold an open terminal; prefer RemoteBox.open."""
        self._socket = socket

    @classmethod
    def start(cls, transport: SyncTransport, sandbox: str, command: Command) -> RemoteTerminal:
        """Open a terminal in *sandbox*."""
        return cls(transport.websocket(terminals.opening(sandbox, command), [terminals.PROTOCOL]))

    def events(self) -> Iterator[Event]:
        while True:
            message = self._socket.receive()
            if message is None:
                raise ConnectionLost(terminals.broken(self._socket.ending))
            event = terminals.event_of(message)
            if event is not None:
                yield event
            if isinstance(event, (Exited, Failed)):
                return

    def type(self, data: bytes) -> None:
        """As Terminal.type; what is typed after the end is dropped."""
        with suppress(ConnectionLost):
            for piece in terminals.slices(data):
                self._socket.send_bytes(piece)

    def resize(self, size: TerminalSize) -> None:
        with suppress(ConnectionLost):
            self._socket.send_text(terminals.resizing(size))

    def close(self) -> None:
        self._socket.close()
