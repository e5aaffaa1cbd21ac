"""Sandboxes: made, seen, kept and ended."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.lease import State
from sandlot.server import answers
from sandlot.server.access import caller_of, context_of, service_of
from sandlot.server.policy import admit
from sandlot.server.reading import json_body, query_of
from sandlot.wire import values

from . import translate
from .reading import named

MOST_LISTED = 1000


async def ensure(request: Request) -> Response:
    """PUT /v1/sandboxes/{id}."""
    name = named(request)
    spec = admit(values.spec_from(await json_body(request)), context_of(request).settings)
    status = await answers.unless_gone(request, service_of(request).ensure(name, spec))
    return answers.json(translate.sandbox_to_json(caller_of(request).owner, status))


async def status(request: Request) -> Response:
    """GET /v1/sandboxes/{id}."""
    found = await service_of(request).status(named(request))
    return answers.json(translate.sandbox_to_json(caller_of(request).owner, found))


async def touch(request: Request) -> Response:
    """POST /v1/sandboxes/{id}/touch; a body is ignored, NoxRunner's clients send none."""
    found = await service_of(request).touch(named(request))
    return answers.json(translate.sandbox_to_json(caller_of(request).owner, found))


async def delete(request: Request) -> Response:
    """DELETE /v1/sandboxes/{id}."""
    await service_of(request).delete(named(request))
    return answers.nothing()


async def listed(request: Request) -> Response:
    """GET /v1/sandboxes."""
    query = query_of(request)
    page = translate.Page(
        limit=query.count("limit", 100, least=1, most=MOST_LISTED),
        after=query.text("cursor") or "",
        states=translate.states_from(query.text("state")),
    )
    found = await service_of(request).list(ended=State.ENDED in page.states)
    return answers.json(translate.page_to_json(caller_of(request).owner, found, page))
