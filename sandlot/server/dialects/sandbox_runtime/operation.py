"""Operation: one verb of one path, as the server routes it and as the document of the API tells it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandlot.server.access import demand

from .schemas import FILENAME

Endpoint = Callable[[Request], Awaitable[Response]]
Json = dict[str, Any]
PREFIX = "/workspace/se"
ID: Json = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"}
ANY_TIME = (400, 401, 403, 408, 413, 415, 422, 429, 500, 503)
"""Statuses of errors that any operation may end in."""

_PATTERNS = {"{id}": "(?P<id>[^/]+)", "/{path}": "/?(?P<path>.*)"}
_ERRORS: Mapping[int, str] = {
    400: "A name, above all of a file, that cannot be",
    401: "A valid key is wanted",
    403: "That is not allowed",
    404: "There is no such file",
    408: "The body came too slowly",
    409: "The state of it forbids that",
    413: "The body, or the answer, is too large",
    415: "The body, or the file, has a type that is not understood",
    416: "The range lies outside",
    422: "The request cannot be read, or not be done here",
    429: "Too many requests: Retry-After says when to ask again",
    500: "A handler took too long, or the server failed",
    502: "A connection broke",
    503: "Not now",
    504: "The time given ran out",
    507: "A limit of the session is used up",
}


@dataclass(frozen=True)
class Operation:
    """One verb of one path below PREFIX. `scope` is what the caller's key must allow.

    `query` are its parameters by name, `body` the schema of its JSON, `answer` that of its reply, `form` and
    `file` say that one of them is no JSON.
    """

    verb: str
    path: str
    endpoint: Endpoint
    scope: str
    summary: str
    answer: Json
    query: Mapping[str, Json] = field(default_factory=dict)
    body: Json | None = None
    errors: Sequence[int] = ()
    form: bool = False
    file: bool = False

    async def serve(self, request: Request) -> Response:
        """Answer *request*. Raises SandlotError kinds, HTTPException, ClientDisconnect."""
        demand(request, self.scope)
        return await self.endpoint(request)

    def document(self) -> Json:
        """Its OpenAPI operation object."""
        told: Json = {
            "operationId": self.verb.lower() + "".join(re.findall("[A-Za-z0-9]+", self.path.title())),
            "summary": self.summary,
            "tags": ["sandbox_runtime"],
            "parameters": list(self._parameters()),
            "responses": {"200": self._reply(), **self._errors()},
        }
        content = {"multipart/form-data" if self.form else "application/json": {"schema": self.body}}
        return told if self.body is None else {**told, "requestBody": {"required": True, "content": content}}

    def _parameters(self) -> Iterator[Json]:
        for name in re.findall("{([a-z]+)}", self.path):
            schema = ID if name == "id" else FILENAME
            yield {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in self.query.items():
            yield {"name": name, "in": "query", "required": False, "schema": schema}

    def _reply(self) -> Json:
        media = "*/*" if self.file else "application/json"
        return {"description": "Done", "content": {media: {"schema": self.answer}}}

    def _errors(self) -> Json:
        schema = {"$ref": "#/components/schemas/SandboxRuntimeError"}
        statuses = sorted({*ANY_TIME, *self.errors})
        return {
            str(status): {"description": _ERRORS[status], "content": {"application/json": {"schema": schema}}}
            for status in statuses
        }


def served(operations: Sequence[Operation]) -> list[Route]:
    """One route for each path, with and without a slash at its end; a verb it lacks is answered 405."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        by_path.setdefault(PREFIX + operation.path, {})[operation.verb] = operation
    return [_route(path, table) for path, table in by_path.items()]


def paths(operations: Sequence[Operation]) -> Json:
    """The OpenAPI path items."""
    told: Json = {}
    for operation in operations:
        told.setdefault(PREFIX + operation.path, {})[operation.verb.lower()] = operation.document()
    return told


class _Verbs:
    """ASGI: the operations of one path, whose verb has been looked at."""

    def __init__(self, table: Mapping[str, Operation]) -> None:
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await self._table[scope["method"]].serve(request)
        await response(scope, receive, send)


def _route(path: str, table: Mapping[str, Operation]) -> Route:
    route = Route(path, _Verbs(table), methods=list(table), name=path)
    # Starlette adds HEAD to GET; streams have no head apart from their body.
    route.methods = set(table)
    pattern = path
    for name, matched in _PATTERNS.items():
        pattern = pattern.replace(name, matched)
    route.path_regex = re.compile(f"^{pattern}/?$", re.DOTALL)
    return route
