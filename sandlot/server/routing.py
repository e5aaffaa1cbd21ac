"""Which route answers a request, and what surrounds it there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

_PLAIN = (Route, WebSocketRoute)
_SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}


class Routing:
    """ASGI: gives a request to the first route that takes it. Every error is raised, 404 and 405 too.

    Starlette's own routes need nothing of what FastAPI lays around a request, which costs as much as all the
    rest of it: they are asked first, and what none of them knows goes to those that FastAPI describes.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        """Over *routes* of both kinds."""
        self._plain = [route for route in routes if type(route) in _PLAIN]
        self._described = _described([route for route in routes if type(route) not in _PLAIN])
        self.routes: Sequence[BaseRoute] = [*self._plain, *self._described.routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_known = False
        for route in self._plain:
            match, about = route.matches(scope)
            if match is Match.FULL:
                scope.update(about)
                await route.handle(scope, receive, send)
                return
            is_known = is_known or match is Match.PARTIAL
        if is_known:
            raise _method_not_allowed(self._plain, scope)
        await self._described(scope, receive, send)


def _described(routes: Sequence[BaseRoute]) -> FastAPI:
    application = FastAPI(
        routes=list(routes),
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_SILENT,
        exception_handlers=dict.fromkeys((HTTPException, RequestValidationError, Exception), _pass_on),
    )
    application.router.default = _nowhere
    return application


async def _nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """What answers where no route does: Starlette's own would close a WebSocket's handshake with 403."""
    raise HTTPException(404)


async def _pass_on(request: Request | WebSocket, error: Exception) -> NoReturn:
    """Raise *error* to the frame, which answers with it, instead of FastAPI's own answer."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        raise _method_not_allowed(request.app.routes, request.scope)
    raise error


def _method_not_allowed(routes: Sequence[BaseRoute], scope: Scope) -> HTTPException:
    """With the methods of all routes of a path (RFC 9110, section 15.5.6); one of them only knows its own."""
    matching = [route for route in routes if route.matches(dict(scope))[0] is not Match.NONE]
    methods = {method for route in matching for method in getattr(route, "methods", None) or ()}
    return HTTPException(405, headers={"Allow": ", ".join(sorted(methods))})
