"""Copies of a context's interpreter: forks, and checkpoints to go back to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.contexts import Checkpoint
from sandlot.server import answers
from sandlot.server.reading import json_body
from sandlot.wire import contexts as wire

from .contexts import context_of, told
from .reading import named


async def fork(request: Request) -> Response:
    """POST .../contexts/{context}/fork."""
    context = await context_of(request)
    return await told(await answers.unless_gone(request, context.fork()), 201)


async def take(request: Request) -> Response:
    """POST .../contexts/{context}/checkpoints."""
    context = await context_of(request)
    return answers.json(wire.checkpoint_to_json(await context.checkpoint()), 201)


async def listed(request: Request) -> Response:
    """GET .../contexts/{context}/checkpoints."""
    found = await (await context_of(request, make=False)).checkpoints()
    return answers.json({"checkpoints": [wire.checkpoint_to_json(each) for each in found]})


async def rollback(request: Request) -> Response:
    """POST .../contexts/{context}/rollback."""
    checkpoint = wire.rollback_from(await json_body(request))
    context = await context_of(request, make=False)
    await context.rollback(checkpoint)
    return await told(context)


async def discard(request: Request) -> Response:
    """DELETE .../contexts/{context}/checkpoints/{checkpoint}."""
    context = await context_of(request, make=False)
    await context.discard(Checkpoint(named(request, "checkpoint")))
    return answers.nothing()
