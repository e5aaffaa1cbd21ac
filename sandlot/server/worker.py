"""Uvicorn, as it is run here: bounded, silent, and ended by us."""

from __future__ import annotations

import contextlib
import socket

import uvicorn
from starlette.types import ASGIApp

from .listening import BACKLOG
from .protocol import GuardedProtocol
from .websocket import GuardedWebSocket

_KEEP_ALIVE = 75
_LARGEST_MESSAGE = 2**20
# asyncio accepts as many connections in one go as its backlog is long: 2048 of them would stop everybody
# else for a third of a second. The kernel's backlog is set again afterwards.
_ACCEPTED_AT_ONCE = 64


class Worker(uvicorn.Server):
    """Uvicorn's server, whose end is decided by us."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()

    def stop_accepting(self) -> None:
        """Let nobody in any more; those who are in stay."""
        for listening in getattr(self, "servers", ()):
            listening.close()


def configured(app: ASGIApp, most: int) -> uvicorn.Config:
    """How *app* is served, to *most* connections at once."""
    return uvicorn.Config(
        app,
        http=GuardedProtocol,
        ws=GuardedWebSocket,
        ws_max_size=_LARGEST_MESSAGE,
        ws_per_message_deflate=False,  # a small frame must not become a large message
        loop="none",  # who calls `serve` runs it (loop)
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # who asks is told by the connection, never by a header
        server_header=False,
        backlog=_ACCEPTED_AT_ONCE,
        limit_concurrency=most,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=1,  # requests have had their grace before
    )
