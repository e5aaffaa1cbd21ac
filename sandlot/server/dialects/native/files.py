"""Single files of a sandbox: looked at, read, written, moved, watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.errors import SandlotError
from sandlot.contracts.events import Failed
from sandlot.contracts.paths import sandbox_path
from sandlot.contracts.streams import ended
from sandlot.server import answers, ranges
from sandlot.server.access import context_of
from sandlot.server.reading import json_body, query_of, raw_body
from sandlot.wire import json_object, values
from sandlot.wire.events import NDJSON, NDJSON_ALIVE, SSE, SSE_ALIVE, ndjson, sse

from . import translate
from .reading import files_of, watched

OCTETS = "application/octet-stream"
ATTACHED = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
"""What a program wrote is no page: browsers save it and do not guess its type."""

UNCACHED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""For streams: no proxy keeps them back (the second is nginx's)."""

_ENTRIES_AT_ONCE = 200
_TOP = PurePosixPath("/")


async def stat(request: Request) -> Response:
    """GET .../files/stat."""
    path = query_of(request).path("path")
    files = await files_of(request)
    return answers.json(values.entry_to_json(await files.stat(path)))


async def listed(request: Request) -> Response:
    """GET .../files/list; the entries are written a few at a time, there may be very many."""
    path = query_of(request).path("path", "/workspace")
    files = await files_of(request)
    pieces = await answers.begun(_list_pieces(files.list(path)))
    return answers.ByteStream(pieces, translate.JSON)


async def read(request: Request) -> Response:
    """GET .../files/content."""
    path = query_of(request).path("path")
    files = await files_of(request)
    size = int((await files.stat(path))["size"])
    # There is no validator to compare, so a conditional range (RFC 9110, 13.1.5) is for all of it.
    asked = None if "if-range" in request.headers else request.headers.get("range")
    part = ranges.byte_range(asked, size)
    headers = {**ATTACHED, "Accept-Ranges": "bytes", "Sandlot-Size": str(size)}
    if part is not None:
        headers["Content-Range"] = ranges.content_range(part, size)
        if not part.length:
            raise HTTPException(416, f"{str(path)!r} has {size} bytes: ask for some of them", headers)
    begin, length = part or (0, size)
    pieces = await answers.begun(answers.exactly(files.read(path, begin, length), length))
    headers["Content-Length"] = str(length)
    return answers.ByteStream(pieces, OCTETS, status=206 if part else 200, headers=headers)


async def write(request: Request) -> Response:
    """PUT .../files/content; nothing is there before all of it is."""
    query = query_of(request)
    path, mode = query.path("path"), query.mode("mode", 0o644)
    files = await files_of(request)
    if path.parent != _TOP:
        await files.mkdir(path.parent, parents=True)
    return answers.json({"bytes": await files.write(path, raw_body(request), mode)})


async def make_directory(request: Request) -> Response:
    """POST .../files/mkdir."""
    fields = values.Fields(await json_body(request))
    path, parents = sandbox_path(fields.text("path")), fields.flag("parents", default=False)
    fields.end()
    await (await files_of(request)).mkdir(path, parents=parents)
    return answers.nothing()


async def move(request: Request) -> Response:
    """POST .../files/move."""
    fields = values.Fields(await json_body(request))
    path, to = sandbox_path(fields.text("path")), sandbox_path(fields.text("to"))
    fields.end()
    await (await files_of(request)).move(path, to)
    return answers.nothing()


async def remove(request: Request) -> Response:
    """DELETE .../files."""
    query = query_of(request)
    path, recursive = query.path("path"), query.flag("recursive")
    await (await files_of(request)).remove(path, recursive=recursive)
    return answers.nothing()


async def watch(request: Request) -> Response:
    """GET .../files/watch; ends with the client, the sandbox or the server."""
    query = query_of(request)
    path, recursive = query.path("path", "/workspace"), query.flag("recursive")
    media = translate.wanted_media(request.headers.get("accept"), (NDJSON, SSE))
    await (await files_of(request)).stat(path)  # what is not there is told before the stream begins
    changes = (await watched(request)).watch(path, recursive=recursive)
    pieces = _change_pieces(changes, media, context_of(request).lifecycle.draining)
    pulse = SSE_ALIVE if media == SSE else NDJSON_ALIVE
    return answers.ByteStream(pieces, media, headers=UNCACHED, pulse=pulse)


async def _list_pieces(entries: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[bytes]:
    """{"entries": [...]}, with a turn for others between the pieces."""
    lead, rows = b'{"entries":[', []
    async with ended(entries) as found:
        async for entry in found:
            rows.append(json_object.render(values.entry_to_json(entry)))
            if len(rows) == _ENTRIES_AT_ONCE:
                yield lead + b",".join(rows)
                lead, rows = b",", []
                await asyncio.sleep(0)
    yield (lead if rows or lead != b"," else b"") + b",".join(rows) + b"]}"


async def _change_pieces(
    changes: AsyncIterator[Mapping[str, Any]], media: str, draining: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    encode = sse if media == SSE else ndjson
    number = 0
    try:
        async with ended(changes), ended(_until(draining, changes)) as told:
            async for change in told:
                number += 1
                yield encode(number, change)
    except SandlotError as error:
        yield encode(number + 1, Failed(error.code, error.message))


async def _until(
    over: asyncio.Event, changes: AsyncIterator[Mapping[str, Any]]
) -> AsyncIterator[Mapping[str, Any]]:
    """*changes* up to their end or to *over*."""
    stopping = asyncio.ensure_future(over.wait())
    waiting: list[asyncio.Task[Any]] = [stopping]
    try:
        while not over.is_set():
            upcoming = asyncio.ensure_future(answers.following(changes))
            waiting = [stopping, upcoming]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            change = upcoming.result() if upcoming.done() else None
            if change is None:
                return
            yield change
    finally:
        await answers.cancelled(waiting)
