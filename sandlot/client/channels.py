"""Where the cells of a client go, for threads: the twin of `async_channels`.

A cell goes over a WebSocket of its context, which is kept for the next one. Where the server has none, a
proxy lets none through, or the cell is too long for a message, it goes by a request, whose answer tells what
else may be wrong.
"""

from __future__ import annotations

from typing import Callable, Generator, Optional

from sandlot.contracts.cells import Cell
from sandlot.contracts.errors import SandlotError
from sandlot.transport.base import SyncTransport, SyncWebSocket
from sandlot.wire.cell_events import TellableEvent
from sandlot.wire.flows import channels, contexts
from sandlot.wire.flows.exchange import STREAMING, Stream

from .kept import Kept, Place

Streaming = Callable[[Stream[TellableEvent]], Generator[TellableEvent, None, None]]
"""Sends a request and gives the events of its answer."""


class Channels:
    """The WebSockets of one client, each for one cell at a time. Two threads may use it at once."""

    def __init__(self, transport: SyncTransport, by_request: Streaming) -> None:
        """None is open; *by_request* is the other way."""
        self._transport, self._streamed = transport, by_request
        self._kept: Kept[SyncWebSocket] = Kept()
        self._is_without = False  # the server has none

    def run(self, place: Place, cell: Cell) -> Generator[TellableEvent, None, None]:
        """The events of *cell*; leaving early ends the connection, which interrupts it."""
        message = channels.asking(cell)
        socket = None if message is None else self._socket(place)
        if message is None or socket is None:
            yield from self._by_request(place, cell)
            return
        heard = channels.Heard()
        try:
            socket.send_text(message)
            while not heard.is_whole:
                yield from heard.take(socket.receive(STREAMING), socket.ending)
        finally:
            excess = self._kept.keep(place, socket) if heard.is_whole else socket
            if excess is not None:
                excess.close()

    def forget(self, sandbox: str, context: Optional[str] = None) -> None:
        """No more cells will come for *context*, or for any of the sandbox."""
        for socket in self._kept.drop(sandbox, context):
            socket.close()

    def close(self) -> None:
        """End those that wait for cells; idempotent."""
        for socket in self._kept.drop():
            socket.close()

    def _socket(self, place: Place) -> Optional[SyncWebSocket]:
        """One that stands; None where there is none to be had."""
        while (kept := self._kept.take(place)) is not None:
            if kept.stands():
                return kept
            kept.close()
        if self._is_without:
            return None
        try:
            return self._transport.websocket(
                channels.opening(*place), channels.PROTOCOLS, largest=channels.LONGEST
            )
        except SandlotError as error:
            self._is_without = not error.retryable
            return None

    def _by_request(self, place: Place, cell: Cell) -> Generator[TellableEvent, None, None]:
        try:
            yield from self._streamed(contexts.run(*place, cell))
        except SandlotError:
            self._is_without = False  # what this tells may be why there was no WebSocket
            raise
