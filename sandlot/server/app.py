"""The application: layers around the routes of every dialect, outermost first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from . import control
from .bodies import Bodies
from .dialect import Context, Dialect
from .frame import Frame
from .gate import Access, Gate
from .health import Health
from .hosts import HostRules
from .openapi import document
from .routing import Routing


def build_app(
    context: Context, dialects: Sequence[Dialect], health: Health, access: Access, rules: HostRules
) -> ASGIApp:
    """The application of `sandlot serve`: what the dialects have, and the server's own routes."""
    return layered(context, dialects, _routes(dialects, health), access, rules)


def layered(
    context: Context,
    dialects: Sequence[Dialect],
    routes: Sequence[BaseRoute],
    access: Access,
    rules: HostRules,
) -> ASGIApp:
    """An ASGI application of *routes*. What is refused is refused as far out as can be told."""
    routing = Routing(routes)
    gate = Gate(Bodies(routing, context), context, access, rules)
    tellers = {each.prefix: each.tells for each in dialects if each.tells is not None}
    return Frame(gate, context, _templates(routing.routes), tellers)


def _routes(dialects: Sequence[Dialect], health: Health) -> list[BaseRoute]:
    routes: list[BaseRoute] = [route for dialect in dialects for route in dialect.routes]
    return [*routes, *control.routes(health, cache(lambda: document(control.paths(), dialects)))]


def _templates(routes: Sequence[BaseRoute]) -> Mapping[Any, str]:
    return {
        route.endpoint: str(getattr(route, "path_format", route.path))
        for route in routes
        if hasattr(route, "endpoint") and hasattr(route, "path")
    }
