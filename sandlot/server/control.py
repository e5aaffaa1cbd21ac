"""The server's own routes: is it well, what does it count, what can it be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandlot import __version__

from . import docs
from .access import caller_of, context_of, demand
from .gate import OPEN
from .health import Health
from .openapi import problems

Document = Callable[[], dict[str, Any]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Readiness(BaseModel):
    """Whether the server can do what it is for; all but `status` is only for callers the server knows."""

    status: str = Field(description="One of ready, starting, draining, degraded.")
    checks: dict[str, str] | None = Field(default=None, description="Each check with ok or what is wrong.")
    version: str | None = Field(default=None, description="Of the server.")
    engine: str | None = Field(
        default=None, description="What serves when no engine is asked for; null until a program ran in it."
    )
    isolation: str | None = Field(default=None, description="What that engine gave the program.")


_OBJECT = {"type": "object"}
_TEXT = {"type": "string"}


def routes(health: Health, document: Document) -> list[Route]:
    """The routes; *document* gives the OpenAPI document of the whole server, which may take its time."""

    async def readyz(request: Request) -> Response:
        status = health.status()
        about: dict[str, Any] = {"status": status}
        if caller_of(request).scopes:
            about |= {"checks": health.checks(), "version": __version__, **health.proof()}
        return JSONResponse(about, 200 if status == "ready" else 503)

    async def openapi(_request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(document))

    async def page(_request: Request) -> Response:
        return docs.page(await asyncio.to_thread(document))

    table: Mapping[str, Endpoint] = {
        "/healthz": _healthz,
        "/readyz": readyz,
        "/metrics": _metrics,
        "/openapi.json": openapi,
        "/docs": page,
    }
    return [_route(path, endpoint) for path, endpoint in table.items()]


def paths() -> dict[str, Any]:
    """Their OpenAPI path items."""
    readiness = Readiness.model_json_schema()
    not_ready = {"503": _content("Not ready.", "application/json", readiness)}
    return {
        "/healthz": _item("/healthz", "Is it alive?", ("text/plain", _TEXT)),
        "/readyz": _item("/readyz", "Can it do what it is for?", ("application/json", readiness), not_ready),
        "/metrics": _item("/metrics", "Its counters, for Prometheus", ("text/plain", _TEXT)),
        "/openapi.json": _item("/openapi.json", "This document", ("application/json", _OBJECT)),
        "/docs": _item("/docs", "It as a page", ("text/html", _TEXT)),
    }


def _item(
    path: str, summary: str, good: tuple[str, Mapping[str, Any]], more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    refused = problems(403) if path in OPEN else problems(401, 403)
    operation = {
        "operationId": f"get{path.strip('/').partition('.')[0].title()}",
        "summary": summary,
        "tags": ["server"],
        "responses": {
            "200": _content("Done.", *good),
            **(more or {}),
            **{str(status): told for status, told in refused.items()},
        },
        **({"security": []} if path in OPEN else {}),
    }
    return {"get": operation}


def _content(description: str, media: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": schema}}}


def _route(path: str, endpoint: Endpoint) -> Route:
    route = Route(path, endpoint, methods=["GET"])
    # Starlette adds HEAD to GET, of which the document says nothing.
    route.methods = {"GET"}
    return route


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("OK")


async def _metrics(request: Request) -> Response:
    demand(request, "metrics")
    body, media_type = context_of(request).metrics.text()
    return Response(body, media_type=media_type)
