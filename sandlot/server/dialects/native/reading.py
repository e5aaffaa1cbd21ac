"""What a request says: which sandbox, which body, which box."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, cast

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box, Files, FileWatch, Processes, Terminals
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import identifier
from sandlot.server.access import context_of, service_of
from sandlot.wire.fields import object_from

from .query import Query

_SHORT = 65_536  # is parsed at once; what is longer holds up nobody else


def refuse_hidden_slash(request: HTTPConnection) -> None:
    """Raise InvalidSpec for an escaped slash: a name that holds one would be taken for two."""
    if b"%2f" in request.scope["raw_path"].lower():
        raise InvalidSpec("the path holds an escaped slash: no name of a sandbox, command or process has one")


def named(request: Request, what: str = "id") -> str:
    """A name in the path. Raises InvalidSpec when it is none."""
    return identifier(request.path_params[what], "sandbox id" if what == "id" else what)


def query_of(request: Request) -> Query:
    """The query. Raises InvalidSpec when it cannot be read."""
    return Query(request.scope["query_string"])


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises InvalidSpec, and HTTPException for another type (415)."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
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


def bounded(request: Request, body: Mapping[str, Any], command: Command) -> Command:
    """*command*, within the operator's setting `timeout` where the request's *body* says nothing about it."""
    if "timeoutSeconds" in body:
        return command
    return replace(command, timeout=context_of(request).settings.timeout)


def traced(request: Request, command: Command) -> Command:
    """*command*, told the trace that the request says it belongs to (W3C Trace Context), as TRACEPARENT."""
    trace = request.state.traceparent
    return command if trace is None else replace(command, env={"TRACEPARENT": trace, **command.env})


async def raw_body(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives, without empty pieces. Raises ClientDisconnect."""
    async for piece in request.stream():
        if piece:
            yield piece


async def box_of(request: Request, feature: Feature = Feature.NOTHING) -> Box:
    """The box of the sandbox in the path, which can do *feature*. Raises NotFound, Unsupported."""
    box = await service_of(request).reach(named(request))
    require(feature, box.features, engine=box.engine)
    return box


async def files_of(request: Request) -> Files:
    """Its files."""
    return cast("Files", await box_of(request, Feature.FILES))


async def watched(request: Request) -> FileWatch:
    """What tells of their changes."""
    return cast("FileWatch", await box_of(request, Feature.FILE_WATCH))


async def processes_of(request: Request) -> Processes:
    """Its background processes."""
    return cast("Processes", await box_of(request, Feature.PROCESSES))


def terminals_of(box: Box) -> Terminals:
    """Its terminals. Raises Unsupported."""
    require(Feature.TERMINALS, box.features, engine=box.engine)
    return cast("Terminals", box)
