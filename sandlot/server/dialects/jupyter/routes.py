"""The API as a table: one row for each verb of each path, and the WebSocket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from sandlot.server.access import demand
from sandlot.server.dialect import Context, Dialect

from . import endpoints, errors
from .channels import Channels
from .endpoints import Endpoints
from .kernels import Kernels

PREFIX = "/api/"
_KERNELS = "/api/kernels"
_KERNEL = _KERNELS + "/{id}"


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One verb of one path. `scope` is what the caller's key must allow."""

    verb: str
    path: str
    scope: str
    endpoint: Callable[[Request], Awaitable[Response]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        demand(request, self.scope)
        response = await self.endpoint(request)
        await response(scope, receive, send)


def rows(asked: Endpoints) -> tuple[Row, ...]:
    """Every verb of every path."""
    return (
        Row("GET", "/api", "read", endpoints.version),
        Row("GET", "/api/kernelspecs", "read", endpoints.kernelspecs),
        Row("GET", "/api/kernelspecs/{name}", "read", endpoints.kernelspec),
        Row("GET", _KERNELS, "read", asked.listed),
        Row("POST", _KERNELS, "write", asked.create),
        Row("GET", _KERNEL, "read", asked.status),
        Row("DELETE", _KERNEL, "write", asked.delete),
        Row("POST", _KERNEL + "/interrupt", "write", asked.interrupt),
        Row("POST", _KERNEL + "/restart", "write", asked.restart),
    )


def routes(context: Context) -> Dialect:
    """The dialect that notebook servers and ipybox's client speak."""
    return _dialect(Kernels(context))


def routes_within(context: Context, sandbox: str) -> Dialect:
    """The same for kernels that all live in *sandbox*."""
    return _dialect(Kernels(context, sandbox))


def _dialect(kernels: Kernels) -> Dialect:
    found: list[BaseRoute] = [
        Route(each.path, each, methods=[each.verb]) for each in rows(Endpoints(kernels))
    ]
    found.append(WebSocketRoute(_KERNEL + "/channels", Channels(kernels).serve))
    return Dialect("jupyter", found, prefix=PREFIX, tells=errors.answer)
