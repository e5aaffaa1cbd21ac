"""Answers: JSON, nothing, and bytes that stream to a client that may leave."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import nullcontext
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandlot.contracts.errors import Conflict, SandlotError
from sandlot.contracts.streams import ended
from sandlot.trees.pack import once
from sandlot.wire import json_object

from .access import connection_of
from .head import head_of
from .reading import raw_body

Value = TypeVar("Value")
Taking = Callable[[AsyncIterable[bytes]], Coroutine[Any, Any, None]]
"""What is done with a body."""
_log = logging.getLogger(__name__)
_SHORT = 2**20
"""Bytes of a body that may be held while a program does not take them."""

PULSE_SECONDS = 15.0
"""How long a stream may be silent before a sign of life is sent; proxies cut silent connections."""


def json(value: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """*value* as JSON."""
    return Response(json_object.render(value), status, dict(headers or {}), "application/json")


def nothing() -> Response:
    """Done, and there is nothing to tell: 204."""
    return Response(status_code=204)


def short_reason(reason: str) -> str:
    """*reason* as a WebSocket's close frame holds it: 123 bytes (RFC 6455, 5.5)."""
    return reason.encode("ascii", "replace")[:123].decode("ascii")


class Pieces(Protocol):
    """Bytes to come, which hold something alive until they are closed."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes."""

    async def aclose(self) -> None:
        """Let go; idempotent."""


class ByteStream(Response):
    """A body that comes piece by piece, each taken only when the client has room for it.

    The pieces are closed when the client leaves. When they fail, the connection breaks without the end of
    the body, by which the client knows that it is not whole. *pulse* is sent where nothing else is.
    """

    def __init__(
        self,
        pieces: Pieces,
        media_type: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        pulse: bytes = b"",
    ) -> None:
        """Prepare the answer; nothing is taken of *pieces* before it is sent."""
        super().__init__(None, status, None, media_type)
        del self.headers["content-length"]  # Starlette's, of no body at all
        self.headers.update(headers or {})
        self._pieces, self._pulse = pieces, pulse
        self._is_sending, self._is_silent = False, True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        tasks = [asyncio.ensure_future(self._send_all(send)), asyncio.ensure_future(_gone(receive))]
        if self._pulse:
            tasks.append(asyncio.ensure_future(self._beat(send)))
        try:
            await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled(tasks)
            await self._pieces.aclose()
        if not tasks[0].cancelled():
            tasks[0].result()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for piece in self._pieces:
                await self._send(send, piece)
        except SandlotError as error:
            _log.warning("an answer broke off: %s", error.code)
            return  # without the end of the body: the connection is closed
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _beat(self, send: Send) -> None:
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            if self._is_silent and not self._is_sending:
                await self._send(send, self._pulse)
            self._is_silent = True

    async def _send(self, send: Send, piece: bytes) -> None:
        self._is_sending, self._is_silent = True, False
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        self._is_sending = False


class Begun:
    """Pieces of which the first has come already; made by `begun`."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        """Tell *first*, then *rest*."""
        self._first, self._rest = first, rest

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        first, self._first = self._first, b""
        return first or await anext(self._rest)

    async def aclose(self) -> None:
        """Close the rest, also when nothing was taken: a generator that was never run would not clean up."""
        if isinstance(self._rest, AsyncGenerator):
            await self._rest.aclose()


async def begun(pieces: AsyncIterator[bytes]) -> Begun:
    """*pieces* once the first of them is there, so that what is wrong from the start is raised here."""
    waiting = Begun(b"", pieces)
    try:
        return Begun(await anext(pieces, b""), pieces)
    except BaseException:
        await waiting.aclose()
        raise


async def exactly(content: AsyncIterator[bytes], length: int) -> AsyncIterator[bytes]:
    """*content*, which has *length* bytes. Raises Conflict when there are fewer: it changed meanwhile."""
    left = length
    async with ended(content) as pieces:
        async for piece in pieces:
            left -= len(piece)
            yield piece
    if left:
        raise Conflict(f"the file became {left} bytes shorter while it was read: read it again")


async def following(items: AsyncIterator[Value]) -> Value | None:
    """The next of *items*, None after the last."""
    return await anext(items, None)


async def unless_gone(request: Request, work: Coroutine[Any, Any, Value]) -> Value:
    """What *work* gives. It is cancelled when the client leaves. Raises ClientDisconnect then."""
    connection = connection_of(request)
    try:
        with nullcontext() if connection is None else connection.stay():
            return await work
    finally:
        work.close()  # it never began where the client had gone already


async def while_there(request: Request, work: Taking) -> None:
    """Do *work* on the body of *request* as long as its client is there. Raises ClientDisconnect.

    A short body is read first, so that the client's leaving is seen while a program does not take it; a
    long one tells by itself.
    """
    size = head_of(request.scope).announced
    if size is None or size > _SHORT:
        await work(raw_body(request))
    else:
        await unless_gone(request, work(once(await request.body())))


async def cancelled(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel *tasks* and wait until they have cleared up."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
