"""Contexts: interpreters of a sandbox that keep their state, and the cells that run in them."""

from __future__ import annotations

import asyncio
from typing import cast

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from sandlot.contracts.capability import Feature
from sandlot.contracts.cell_result import CellFold, CellResult
from sandlot.contracts.cells import Cell, CellEvent
from sandlot.contracts.contexts import Context, ContextEnding
from sandlot.contracts.errors import NotFound, OutputTooLarge, TimedOut, Unsupported
from sandlot.contracts.streams import ended
from sandlot.sandboxes.default_context import ending_of
from sandlot.sandboxes.lent import LentBox
from sandlot.server import answers
from sandlot.server.access import caller_of
from sandlot.server.collected import MOST_COLLECTED
from sandlot.server.reading import json_body, query_of
from sandlot.wire import contexts as wire
from sandlot.wire.events import SSE
from sandlot.wire.flows.contexts import DEFAULT

from . import streams, translate
from .manners import size_in_cell
from .processes import LONGEST_WAIT
from .reading import box_of, named
from .registry import Key, Runs, new_key
from .runs import Run

MOST_HISTORY = 10_000
"""Cells that one answer tells."""


async def create(request: Request) -> Response:
    """POST .../contexts."""
    spec = wire.context_spec_from(await json_body(request))
    box = await _contexts_of(request)
    context = await answers.unless_gone(request, box.open_context(spec))
    return await told(context, 201)


async def listed(request: Request) -> Response:
    """GET .../contexts."""
    found = await (await _contexts_of(request)).contexts()
    return answers.json({"contexts": [wire.row_to_json(await _row(each)) for each in found]})


async def status(request: Request) -> Response:
    """GET .../contexts/{context}; with waitSeconds when it has ended."""
    patience = query_of(request).seconds("waitSeconds", most=LONGEST_WAIT)
    context = await context_of(request, make=False)
    if patience is not None:
        await answers.unless_gone(request, _end(context, patience))
    return await told(context)


async def close(request: Request) -> Response:
    """DELETE .../contexts/{context}."""
    await (await context_of(request, make=False)).close()
    return answers.nothing()


async def give(request: Request) -> Response:
    """POST .../contexts/{context}/answer."""
    text = wire.answer_from(await json_body(request))
    await (await context_of(request, make=False)).answer(text)
    return answers.nothing()


async def interrupt(request: Request) -> Response:
    """POST .../contexts/{context}/interrupt."""
    await (await context_of(request, make=False)).interrupt()
    return answers.nothing()


async def restart(request: Request) -> Response:
    """POST .../contexts/{context}/restart."""
    context = await context_of(request, make=False)
    await context.restart()
    return await told(context)


async def complete(request: Request) -> Response:
    """POST .../contexts/{context}/complete."""
    asked = wire.question_from(await json_body(request))
    context = await context_of(request)
    found = await answers.unless_gone(request, context.complete(asked.code, asked.cursor))
    return answers.json(wire.completions_to_json(found))


async def inspect(request: Request) -> Response:
    """POST .../contexts/{context}/inspect."""
    asked = wire.question_from(await json_body(request), has_detail=True)
    context = await context_of(request)
    found = await answers.unless_gone(request, context.inspect(asked.code, asked.cursor, detail=asked.detail))
    return answers.json(wire.inspection_to_json(found))


async def is_complete(request: Request) -> Response:
    """POST .../contexts/{context}/is-complete."""
    code = wire.code_from(await json_body(request))
    context = await context_of(request)
    return answers.json(wire.judgement_to_json(await answers.unless_gone(request, context.is_complete(code))))


async def history(request: Request) -> Response:
    """GET .../contexts/{context}/history."""
    most = query_of(request).count("most", 100, least=1, most=MOST_HISTORY)
    context = await context_of(request, make=False)
    return answers.json(wire.history_to_json(await answers.unless_gone(request, context.history(most))))


class Contexts:
    """The routes of cells."""

    def __init__(self, runs: Runs[CellEvent]) -> None:
        """Keep streamed cells in *runs*."""
        self._runs = runs

    async def run(self, request: Request) -> Response:
        """POST .../contexts/{context}/run."""
        cell = wire.cell_from(await json_body(request))
        media = translate.wanted_media(request.headers.get("accept"))
        if media in streams.MEDIA:
            return await self._streamed(request, await context_of(request), cell, media)
        if cell.allow_input:
            raise Unsupported("allowInput needs a streamed answer: accept application/x-ndjson")
        context = await context_of(request)
        return answers.json((await answers.unless_gone(request, _collected(context, cell))).to_json())

    async def resume(self, request: Request) -> Response:
        """GET /v1/sandboxes/{id}/cells/{cell}/events."""
        run = self._runs.find(Key(caller_of(request).owner, named(request), named(request, "cell")))
        if not run.is_resumable:
            raise NotFound("the events of this cell are not kept: ask for text/event-stream to resume it")
        after = streams.position(request, query_of(request))
        media = translate.wanted_media(request.headers.get("accept"), (SSE, *streams.MEDIA))
        return streams.answer(run, media, after)

    async def _streamed(self, request: Request, context: Context, cell: Cell, media: str) -> Response:
        key = new_key(caller_of(request).owner, named(request))
        self._runs.admit(key.owner)
        run = Run(
            context.run(cell),
            self._runs.manner,
            is_resumable=media == SSE,
            name=key.number,
            facts={"context": context.id},
        )
        self._runs.add(key, run)
        await streams.begun(request, run, answers.PULSE_SECONDS)
        return streams.answer(run, media)


async def _contexts_of(request: HTTPConnection) -> LentBox:
    return cast("LentBox", await box_of(request, Feature.CONTEXTS))


async def context_of(request: HTTPConnection, *, make: bool = True) -> Context:
    """The context in the path; the default one is made when it is missing, if *make*. Raises NotFound."""
    name = named(request, "context")
    box = await _contexts_of(request)
    if name == DEFAULT:
        return await box.default_context(make=make)
    for context in await box.contexts():
        if context.id == name:
            return context
    raise NotFound(f"there is no context {name!r} in this sandbox, or no longer: make one")


async def _row(context: Context) -> wire.ContextRow:
    return wire.ContextRow(context.id, context.spec, context.facts, await ending_of(context))


async def told(context: Context, status: int = 200) -> Response:
    """*context* as an answer."""
    return answers.json(wire.row_to_json(await _row(context)), status)


async def _end(context: Context, patience: float) -> ContextEnding:
    """How *context* ends. Raises TimedOut after *patience* seconds."""
    try:
        async with asyncio.timeout(patience):
            return await context.ended()
    except TimeoutError:
        raise TimedOut(f"context {context.id} has not ended in {patience:g} s: ask again") from None


async def _collected(context: Context, cell: Cell) -> CellResult:
    """The result of *cell*. Raises OutputTooLarge for more than one answer holds."""
    folded, size = CellFold(), 0
    async with ended(context.run(cell)) as events:
        async for event in events:
            size += size_in_cell(event)
            if size > MOST_COLLECTED:
                raise OutputTooLarge(
                    f"the cell showed more than the {MOST_COLLECTED} bytes of one answer: "
                    "it was interrupted; stream it"
                )
            folded.add(event)
    return folded.result
