"""The application: layers around the routes of every dialect, outermost first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from sandlot.contracts.errors import SandlotError

from . import control, errors
from .bodies import Bodies
from .dialect import Context, Dialect
from .frame import Frame
from .gate import Access, Authentication, Doors, Drain
from .health import Health
from .hosts import HostRules
from .openapi import document

_SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}


def build_app(
    context: Context, dialects: Sequence[Dialect], health: Health, access: Access, rules: HostRules
) -> ASGIApp:
    """The server's ASGI application. What is refused is refused as far out as can be told."""
    routing = _routing(dialects, health)
    app: ASGIApp = Bodies(routing, context)
    app = Authentication(app, context, access)
    app = Doors(app, context, rules)
    app = Drain(app, context)
    return Frame(app, context, _templates(routing.routes))


def _routing(dialects: Sequence[Dialect], health: Health) -> FastAPI:
    kinds = (SandlotError, HTTPException, RequestValidationError, ClientDisconnect, Exception)
    routes: list[BaseRoute] = [route for dialect in dialects for route in dialect.routes]
    routes += control.router(health, cache(lambda: document(routes, dialects))).routes
    application = FastAPI(
        routes=routes,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_SILENT,
        exception_handlers=dict.fromkeys(kinds, _tell),
    )
    application.router.default = _nowhere
    return application


async def _nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """What answers where no route does: Starlette's own would close a WebSocket's handshake with 403."""
    raise HTTPException(404)


async def _tell(request: Request | WebSocket, error: Exception) -> Response:
    """Answer with *error*. A WebSocket's goes on to the frame, which knows how far the handshake is."""
    if request.scope["type"] == "websocket":
        raise error
    if isinstance(error, HTTPException) and error.status_code == 405:
        error = HTTPException(405, error.detail, {"Allow": _allowed(request.app.routes, request.scope)})
    return errors.answer(error, request.scope, request.state.request_id)


def _allowed(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """The methods of all routes of a path (RFC 9110, section 15.5.6); one of them only knows its own."""
    matching = [route for route in routes if route.matches(dict(scope))[0] is not Match.NONE]
    methods = {method for route in matching for method in getattr(route, "methods", None) or ()}
    return ", ".join(sorted(methods))


def _templates(routes: Sequence[BaseRoute]) -> Mapping[Any, str]:
    return {
        route.endpoint: str(getattr(route, "path_format", route.path))
        for route in routes
        if hasattr(route, "endpoint") and hasattr(route, "path")
    }
