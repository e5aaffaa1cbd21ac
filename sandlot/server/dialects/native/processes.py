"""Background processes: programs of a sandbox that run while requests come and go."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.command import Command
from sandlot.contracts.engine import Processes
from sandlot.contracts.errors import NotFound
from sandlot.server import answers
from sandlot.server.reading import json_body, query_of, traced
from sandlot.wire import values

from .files import ATTACHED, OCTETS
from .reading import named, processes_of

LONGEST_WAIT = 3600.0
"""Seconds that one request may wait for the end of a process."""


async def start(request: Request) -> Response:
    """POST .../processes."""
    body = await json_body(request)
    command = traced(request, _background(body))
    process = await (await processes_of(request)).start(command)
    return answers.json({"process": process}, 201)


async def listed(request: Request) -> Response:
    """GET .../processes."""
    rows = await (await processes_of(request)).processes()
    return answers.json({"processes": [values.row_to_json(row) for row in rows]})


async def status(request: Request) -> Response:
    """GET .../processes/{process}; with waitSeconds when it has ended."""
    process = named(request, "process")
    patience = query_of(request).seconds("waitSeconds", most=LONGEST_WAIT)
    held = await processes_of(request)
    if patience is not None:
        row = await answers.unless_gone(request, _wait(held, process, patience))
    else:
        row = _row_of(await held.processes(), process)
    return answers.json(values.row_to_json(row))


async def signal(request: Request) -> Response:
    """POST .../processes/{process}/signal."""
    process = named(request, "process")
    fields = values.Fields(await json_body(request))
    number = fields.count("signal", least=1, most=64)
    fields.end()
    await (await processes_of(request)).signal(process, number)
    return answers.nothing()


async def feed(request: Request) -> Response:
    """POST .../processes/{process}/input."""
    process = named(request, "process")
    end = query_of(request).flag("end")
    held = await processes_of(request)

    async def feed_all(body: AsyncIterable[bytes]) -> None:
        async for piece in body:
            await held.feed(process, piece)
        await held.feed(process, b"", end=end)

    await answers.while_there(request, feed_all)
    return answers.nothing()


async def output(request: Request) -> Response:
    """GET .../processes/{process}/output."""
    process = named(request, "process")
    offset = query_of(request).count("offset", 0)
    data, following, dropped = await (await processes_of(request)).output(process, offset)
    headers = {**ATTACHED, "Sandlot-Next-Offset": str(following), "Sandlot-Dropped": str(dropped)}
    return Response(data, 200, headers, OCTETS)


def _background(body: dict[str, Any]) -> Command:
    """What is to run in the background: without a bound on its time unless one is given."""
    asked = values.command_from(body)
    timeout = asked.command.timeout if "timeoutSeconds" in body else None
    return replace(asked.command, background=True, timeout=timeout)


async def _wait(held: Processes, process: str, patience: float) -> Mapping[str, Any]:
    return await held.wait(process, patience)


def _row_of(rows: tuple[Mapping[str, Any], ...], process: str) -> Mapping[str, Any]:
    for row in rows:
        if row["id"] == process:
            return row
    raise NotFound(f"there is no process {process!r} in this sandbox, or no longer")
