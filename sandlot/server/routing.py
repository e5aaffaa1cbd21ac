"""Which route answers a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route, WebSocketRoute, compile_path
from starlette.types import Receive, Scope, Send

Shape = tuple[int, str]
"""How many slashes a path has, and what follows the last of them."""
_PLAIN = (Route, WebSocketRoute)
_PARAMETER = "{}"
_ANY = (-1, _PARAMETER)


class Routing:
    """ASGI: gives a request to the first route that takes it. Every error is raised, 404 and 405 too.

    Only those are asked that fit the number of a path's segments and the last of these.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        """Over *routes* of any kind."""
        self.routes: Sequence[BaseRoute] = list(routes)
        self._by_shape = _by_shape(self.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known: list[BaseRoute] = []
        for route in self._may_take(scope["path"]):
            match, about = route.matches(scope)
            if match is Match.FULL:
                scope.update(about)
                await route.handle(scope, receive, send)
                return
            if match is Match.PARTIAL:
                known.append(route)
        if known:
            raise _method_not_allowed(known)
        raise HTTPException(404)

    def _may_take(self, path: str) -> Sequence[BaseRoute]:
        """The routes worth asking about *path*."""
        count, last = _shape(path)
        found = self._by_shape.get((count, last)) or self._by_shape.get((count, _PARAMETER))
        return self._by_shape[_ANY] if found is None else found


def _by_shape(routes: Sequence[BaseRoute]) -> Mapping[Shape, Sequence[BaseRoute]]:
    """The *routes* that may take a path, in their order, by its shape: those that take any under _ANY."""
    shaped = [(route, _shape_of(route)) for route in routes]
    shapes = {shape for _, shape in shaped} | {_ANY}
    return {shape: [route for route, of in shaped if _may_take(of, shape)] for shape in shapes}


def _may_take(shape: Shape, path: Shape) -> bool:
    return shape in (path, (path[0], _PARAMETER), _ANY)


def _shape_of(route: BaseRoute) -> Shape:
    # A parameter may hold slashes, and a dialect may have a pattern of its own in the place of its path's.
    if not isinstance(route, _PLAIN) or type(route) not in _PLAIN:
        return _ANY
    if ":" in route.path or route.path_regex != compile_path(route.path)[0]:
        return _ANY
    count, last = _shape(route.path)
    return count, _PARAMETER if last.startswith("{") else last


def _shape(path: str) -> Shape:
    return path.count("/"), path.rpartition("/")[2]


def _method_not_allowed(routes: Sequence[BaseRoute]) -> HTTPException:
    """With the methods of all *routes* of a path (RFC 9110, section 15.5.6), each of which knows its own."""
    methods = {method for route in routes for method in getattr(route, "methods", None) or ()}
    return HTTPException(405, headers={"Allow": ", ".join(sorted(methods))})
