"""The server's own routes: is it well, what does it count, what can it be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sandlot import __version__

from . import docs
from .access import caller_of, context_of, demand
from .gate import OPEN
from .health import Health
from .openapi import problems

Document = Callable[[], dict[str, Any]]
Endpoint = Callable[..., Awaitable[Response]]
Responses = dict[int | str, dict[str, Any]]


class Readiness(BaseModel):
    """Whether the server can do what it is for; all but `status` is only for callers the server knows."""

    status: str = Field(description="One of ready, starting, draining, degraded.")
    checks: dict[str, str] | None = Field(default=None, description="Each check with ok or what is wrong.")
    version: str | None = Field(default=None, description="Of the server.")
    engine: str | None = Field(
        default=None, description="What serves when no engine is asked for; null until a program ran in it."
    )
    isolation: str | None = Field(default=None, description="What that engine gave the program.")


_JSON = {"application/json": {"schema": Readiness.model_json_schema()}}
_READY: Responses = {
    200: {"description": "Ready.", "content": _JSON},
    503: {"description": "Not ready.", "content": _JSON},
}
_TEXT: Responses = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
_HTML: Responses = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
_SCHEMA: Responses = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}


def router(health: Health, document: Document) -> APIRouter:
    """The routes; *document* gives the OpenAPI document of the whole server."""

    async def readyz(request: Request) -> Response:
        status = health.status()
        about: dict[str, Any] = {"status": status}
        if caller_of(request).scopes:
            about |= {"checks": health.checks(), "version": __version__, **health.proof()}
        return JSONResponse(about, 200 if status == "ready" else 503)

    async def openapi() -> Response:
        return JSONResponse(document())

    async def page() -> Response:
        return docs.page(document())

    table: list[tuple[str, Endpoint, str, Responses]] = [
        ("/healthz", _healthz, "Is it alive?", {**_TEXT, **problems(403)}),
        ("/readyz", readyz, "Can it do what it is for?", {**_READY, **problems(403)}),
        ("/metrics", _metrics, "Its counters, for Prometheus", {**_TEXT, **problems(401, 403)}),
        ("/openapi.json", openapi, "This document", {**_SCHEMA, **problems(401, 403)}),
        ("/docs", page, "It as a page", {**_HTML, **problems(401, 403)}),
    ]
    routes = APIRouter(tags=["server"])
    for path, endpoint, does, responses in table:
        routes.add_api_route(
            path,
            endpoint,
            response_model=None,
            response_class=Response,
            responses=responses,
            summary=does,
            openapi_extra={"security": []} if path in OPEN else None,
        )
    return routes


async def _healthz() -> Response:
    return PlainTextResponse("OK")


async def _metrics(request: Request) -> Response:
    demand(request, "metrics")
    body, media_type = context_of(request).metrics.text()
    return Response(body, media_type=media_type)
