"""Bounds on bodies: how long, and how slow. Nothing is collected here; routes read piece by piece."""

from __future__ import annotations

import asyncio
import time

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .dialect import Context
from .head import head_of

LARGEST_JSON = 4 * 2**20
STALL_SECONDS = 30.0
"""How long a body may stand still."""
_SLOWEST = 1024.0
"""Bytes per second that a long body comes with on average, over and above two stalls."""
_CLOSE = {"Connection": "close"}


class Bodies:
    """ASGI: refuses bodies that are too large or too slow while they come."""

    def __init__(self, app: ASGIApp, context: Context, stall_seconds: float = STALL_SECONDS) -> None:
        """Guard *app*."""
        self._app = app
        self._most = int(context.settings.most_upload)
        self._stall = stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = _Body(scope, receive, self._most, self._stall).receive
        await self._app(scope, receive, send)


class _Body:
    """One body: what came of it, and how long that took."""

    def __init__(self, scope: Scope, receive: Receive, most: int, stall: float) -> None:
        head = head_of(scope)
        kind = (head.last(b"content-type") or b"").partition(b";")[0].strip().lower()
        self._most = min(most, LARGEST_JSON) if kind == b"application/json" else most
        self._receive, self._state = receive, scope["state"]
        self._stall = stall
        self._got = 0
        self._waited = 0.0
        self._is_whole = False
        if (head.announced or 0) > self._most:
            raise self._too_large()

    async def receive(self) -> Message:
        if self._is_whole:
            return await self._receive()
        message = await (self._receive() if self._state.get("is_whole") else self._awaited())
        self._got += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._got > self._most:
            raise self._too_large()
        if not self._is_whole and self._waited > 2 * self._stall + self._got / _SLOWEST:
            raise HTTPException(408, f"the body comes slower than {_SLOWEST:g} bytes per second", _CLOSE)
        return message

    async def _awaited(self) -> Message:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._stall):
                return await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"the body stood still for {self._stall:g} s", _CLOSE) from None
        finally:
            self._waited += time.monotonic() - began

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body is larger than the {self._most} bytes this route takes", _CLOSE)
