"""The outermost layer around every request: its names, its counting, its line in the log, its errors."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import errors, tracing
from .dialect import Context, Teller
from .head import head_of
from .lifecycle import Phase
from .metrics import NO_ROUTE

_access = logging.getLogger("sandlot.access")
_log = logging.getLogger(__name__)
_SHORT = 64 * 1024
_ENDED = "the server stopped before this was done and has ended what ran: ask another one, or again later"
_NO_GUESSING = (b"x-content-type-options", b"nosniff")
_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start", "websocket.close")


class Frame:
    """ASGI: names the request, lets the layers inside answer it, and tells how that went."""

    def __init__(
        self, app: ASGIApp, context: Context, routes: Mapping[Any, str], tellers: Mapping[str, Teller]
    ) -> None:
        """Frame *app*; *routes* gives the template of the route that an endpoint serves.

        *tellers* tell the errors of paths with their prefix.
        """
        self._app = app
        self._context = context
        self._routes = routes
        self._tellers = tuple(tellers.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(scope, send, self._teller(scope["path"]))
        scope["state"].update(
            context=self._context, request_id=exchange.request_id, traceparent=exchange.traceparent
        )
        self._context.metrics.began()
        try:
            with self._context.lifecycle.running():
                await self._answered(exchange, receive)
        finally:
            # The answer goes out at the end of this turn of the loop: what nobody waits for comes after it.
            seconds = time.perf_counter() - exchange.began
            asyncio.get_running_loop().call_soon(self._tell, exchange, seconds)

    async def _answered(self, exchange: _Exchange, receive: Receive) -> None:
        try:
            await self._app(exchange.scope, exchange.receiving(receive), exchange.send)
        except errors.EXPECTED as error:
            await exchange.tell(error, receive)
        except asyncio.CancelledError:
            if self._context.lifecycle.phase is not Phase.DRAINING:
                raise
            # The grace of a server that was told to stop has passed.
            await exchange.tell(HTTPException(503, _ENDED, {"Retry-After": "5"}), receive)
        except Exception as error:  # noqa: BLE001 - the edge of a request: the log gets it, the client an id
            _log.exception("request %s failed", exchange.request_id)
            await exchange.tell(error, receive)

    def _teller(self, path: str) -> Teller:
        ended = f"{path}/"
        for prefix, tells in self._tellers:
            if ended.startswith(prefix):
                return tells
        return errors.answer

    def _tell(self, exchange: _Exchange, seconds: float) -> None:
        scope = exchange.scope
        route = self._routes.get(scope.get("endpoint"), NO_ROUTE)
        method = scope.get("method", "WEBSOCKET")
        self._context.metrics.ended(method, route, exchange.status, seconds)
        caller = scope["state"].get("caller")
        _access.info(
            "%s %s %d",
            method,
            scope["path"],
            exchange.status,
            extra={
                "about": {
                    "request": exchange.request_id,
                    "trace": tracing.trace_id(exchange.traceparent),
                    "key": caller.key_id if caller else None,
                    "route": route,
                    "ms": round(seconds * 1000, 3),
                    "bytes": exchange.sent,
                    "broken": exchange.is_broken or None,
                }
            },
        )


class _Exchange:
    """One request and what was answered so far."""

    def __init__(self, scope: Scope, send: Send, tells: Teller) -> None:
        self.scope = scope
        self._tells = tells
        self.began = time.perf_counter()
        head = head_of(scope)
        self.request_id = tracing.request_id(head.only(b"x-request-id"))
        self.traceparent = tracing.traceparent(head.only(b"traceparent"))
        self.status = errors.CLIENT_CLOSED_REQUEST
        self.sent = 0
        self.is_started = False
        self.is_whole = False
        # The rest of a short body is soon thrown away; a long one that nobody wants is not waited for.
        size = head.announced
        self._is_unread = size is None or size > _SHORT
        self.is_broken = False
        self._send = send

    def receiving(self, receive: Receive) -> Receive:
        """*receive*, noticing when the body has been read."""

        async def noticing() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                self._is_unread = False
            return message

        return noticing

    async def send(self, message: Message) -> None:
        if message["type"] in _STARTS and not (self.is_started and message["type"] == "websocket.close"):
            self.is_started = True
            self.status = message.get("status", 101 if message["type"] == "websocket.accept" else 403)
            if message["type"] != "websocket.close":
                # What a guest wrote is never to be taken for a page: no browser guesses types here.
                more = [(b"x-request-id", self.request_id.encode("ascii")), _NO_GUESSING]
                more += [(b"connection", b"close")] if self._is_unread else []
                message = {**message, "headers": [*message.get("headers", ()), *more]}
        elif message["type"].endswith(".body"):
            self.sent += len(message.get("body", b""))
            self.is_whole = not message.get("more_body", False)
        await self._send(message)

    async def tell(self, error: Exception, receive: Receive) -> None:
        """Answer with *error*; once an answer has begun, the connection breaks instead."""
        if self.is_started:
            self.is_broken = not self.is_whole
            if self.scope["type"] == "websocket" and self.status == 101:
                await self._send({"type": "websocket.close", "code": 1011})
            return
        await refuse(self._tells(error, self.scope, self.request_id), self.scope, receive, self.send)


async def refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send *response*, to a WebSocket's handshake as its denial (ASGI's websocket.http.response)."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    await response(scope, receive, send)
