"""Uvicorn's WebSocket protocol with bounds that it leaves to its surroundings."""

from __future__ import annotations

from asyncio import TimerHandle

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from .protocol import plain_refusal

_MOST_PIECES = 1024
"""Frames of one message. Empty ones cost memory here and do not count towards its size."""
_SHORT = 4096
_MOST_WAITING = 16
"""Messages of at most _SHORT bytes that may wait to be taken before nothing more is read."""
_LOST = 1006
_LINGER = 15.0
"""Seconds a client has to read the rest once nothing more comes; the closing handshake may take 10."""
_TOO_BIG = 1009  # RFC 6455, section 7.4.1


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """One connection after its upgrade."""

    _lingering: TimerHandle | None = None

    async def run_asgi(self) -> None:
        await super().run_asgi()
        if not self.disconnected:
            # Who does not read would keep what was sent, and its connection, for as long as it likes.
            self._lingering = self.loop.call_later(_LINGER, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # A head that our HTTP parser takes and this one does not: nobody else would answer it.
            self.transport.write(plain_refusal(400, "the handshake cannot be read"))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        # Uvicorn tells this as it tells a close frame without a code, which is a word (RFC 6455, 7.1.5).
        self.queue.put_nowait({"type": "websocket.disconnect", "code": _LOST})
        super().connection_lost(exc)
        if self._lingering is not None:
            self._lingering.cancel()

    def send_receive_event_to_app(self) -> None:
        # Uvicorn stops reading after each message, and starts again when it is taken: two system calls each.
        was_paused, self.read_paused = self.read_paused, True
        size = sum(map(len, self.frames))
        super().send_receive_event_to_app()
        self.read_paused = was_paused
        if not (was_paused or self.close_sent):
            self.read_paused = size > _SHORT or self.queue.qsize() >= _MOST_WAITING
            if self.read_paused:
                self.transport.pause_reading()

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        if len(self.frames) > _MOST_PIECES:
            self.conn.fail(_TOO_BIG, "the message has too many frames")
            self.handle_parser_exception()

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            # Who does not read gets no pongs: they would pile up here as fast as pings come.
            self.conn.data_to_send()
