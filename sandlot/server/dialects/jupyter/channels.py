"""The WebSocket of a kernel: its messages, both ways, until one side has had enough."""

from __future__ import annotations

import asyncio

from starlette.types import Message as Received
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandlot.contracts.errors import InvalidSpec
from sandlot.jupyter.message import LONGEST_WORD
from sandlot.server import answers
from sandlot.server.access import context_of, demand
from sandlot.server.query import Query

from . import frames
from .audience import Listener
from .kernels import Held, Kernels

_GOING_AWAY = 1001  # RFC 6455, section 7.4.1, as are the others
_NOT_UNDERSTOOD = 1008
_TOO_SLOW = 1013  # "try again later", of its registry
_LAST_WORD = 1.0
_STOPPING = 1012  # "service restart", of its registry
_Close = tuple[int, str]


class Channels:
    """The route of the WebSocket."""

    def __init__(self, kernels: Kernels) -> None:
        """Over *kernels*."""
        self._kernels = kernels

    async def serve(self, socket: WebSocket) -> None:
        """WS /api/kernels/{id}/channels. What is wrong from the start is raised before the handshake ends."""
        owner = demand(socket, "write").owner
        held = self._kernels.find(owner, socket.path_params["id"])
        session = Query(socket.scope["query_string"]).text("session_id") or ""
        if len(session) > LONGEST_WORD:
            raise InvalidSpec(f"session_id has {len(session)} characters: {LONGEST_WORD} at most")
        protocol = frames.chosen(socket.scope.get("subprotocols", ()))
        listener = held.audience.enter(session)
        try:
            await socket.accept(protocol.name)
            code, reason = await _conversation(socket, held, listener, protocol)
            if code:
                await _closed(socket, code, reason)
        except WebSocketDisconnect:
            return
        finally:
            held.audience.leave(listener)


async def _conversation(
    socket: WebSocket, held: Held, listener: Listener, protocol: frames.Protocol
) -> _Close:
    """The code to close with, and why; 0 is a client gone."""
    sides = [
        asyncio.ensure_future(_tell(socket, listener, protocol)),
        asyncio.ensure_future(_listen(socket, held, listener, protocol)),
        asyncio.ensure_future(_drained(socket)),
        asyncio.ensure_future(_given_up(listener)),
    ]
    try:
        done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await answers.cancelled(sides)
    return done.pop().result()


async def _tell(socket: WebSocket, listener: Listener, protocol: frames.Protocol) -> _Close:
    while (message := await listener.get()) is not None:
        frame = protocol.written(message)
        if isinstance(frame, str):
            await socket.send_text(frame)
        else:
            await socket.send_bytes(frame)
    return _GOING_AWAY, listener.reason


async def _listen(socket: WebSocket, held: Held, listener: Listener, protocol: frames.Protocol) -> _Close:
    while (received := await socket.receive())["type"] != "websocket.disconnect":
        try:
            await held.take(protocol.read(_frame_of(received)), listener)
        except InvalidSpec as error:
            return _NOT_UNDERSTOOD, error.message
    return 0, ""


async def _drained(socket: WebSocket) -> _Close:
    await context_of(socket).lifecycle.draining.wait()
    return _STOPPING, "the server is stopping: connect again in some seconds"


async def _given_up(listener: Listener) -> _Close:
    await listener.given_up.wait()
    return _TOO_SLOW, listener.reason


async def _closed(socket: WebSocket, code: int, reason: str) -> None:
    """Say why, if the client still reads; the connection is closed anyway."""
    try:
        async with asyncio.timeout(_LAST_WORD):
            await socket.close(code, answers.short_reason(reason))
    except TimeoutError:
        return


def _frame_of(received: Received) -> frames.Frame:
    found: frames.Frame | None = received.get("bytes")
    return received["text"] if found is None else found
