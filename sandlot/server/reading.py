"""What a request says, whatever its dialect: its query, its body, the trace it belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from sandlot.contracts.command import Command
from sandlot.wire.fields import object_from

from .head import head_of
from .query import Query

_SHORT = 65_536  # is parsed at once; what is longer holds up nobody else


def query_of(request: Request) -> Query:
    """The query. Raises InvalidSpec when it cannot be read."""
    return Query(request.scope["query_string"])


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises InvalidSpec, and HTTPException for another type (415)."""
    told = head_of(request.scope).every(b"content-type")
    media = told[0].decode("latin-1").partition(";")[0].strip().lower() if told else ""
    if media != "application/json":
        raise HTTPException(415, f"the body must be application/json, not {media[:80] or 'without a type'!r}")
    body = await _whole_body(request)
    if len(body) <= _SHORT:
        return object_from(body)
    return await asyncio.to_thread(object_from, body)


async def _whole_body(request: Request) -> bytes:
    """The body, which the server bounds. Raises ClientDisconnect."""
    pieces: list[bytes] = []
    is_whole = False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        is_whole = not message.get("more_body", False)
    return b"".join(pieces)


async def raw_body(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives, without empty pieces. Raises ClientDisconnect."""
    async for piece in request.stream():
        if piece:
            yield piece


def traced(request: Request, command: Command) -> Command:
    """*command*, told the trace that the request says it belongs to (W3C Trace Context), as TRACEPARENT."""
    trace = request.scope["state"]["traceparent"]
    return command if trace is None else replace(command, env={"TRACEPARENT": trace, **command.env})
