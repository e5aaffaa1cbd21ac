"""Operation: one verb of one path, as the server routes it and as the document of the API tells it."""

from __future__ import annotations

import http
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandlot.server.access import demand

from . import schemas

Json = dict[str, Any]
_ANY_TIME = (401, 403, 429, 500, 503)
"""Statuses of errors that any operation may end in."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One verb of one path. `scope` is what the caller's key must allow.

    `status` and `answer` are those of its reply, which is empty without a schema; `body` is the schema of the
    JSON it may be sent, `errors` are statuses of its own.
    """

    verb: str
    path: str
    scope: str
    endpoint: Callable[[Request], Awaitable[Response]]
    summary: str
    status: int = 200
    answer: Json | None = None
    errors: Sequence[int] = ()
    body: Json | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request as ASGI. Raises SandlotError kinds, HTTPException, ClientDisconnect."""
        request = Request(scope, receive, send)
        demand(request, self.scope)
        response = await self.endpoint(request)
        await response(scope, receive, send)

    def document(self) -> Json:
        """Its OpenAPI operation object."""
        told: Json = {
            "operationId": self.verb.lower() + "".join(re.findall("[A-Za-z]+", self.path.title())),
            "summary": self.summary,
            "tags": ["jupyter"],
            "parameters": [_place(name) for name in re.findall("{([a-z]+)}", self.path)],
            "responses": {str(self.status): self._reply(), **self._errors()},
        }
        return told if self.body is None else {**told, "requestBody": {"content": _json(self.body)}}

    def _reply(self) -> Json:
        told = {"description": "Done"}
        return told if self.answer is None else {**told, "content": _json(self.answer)}

    def _errors(self) -> Json:
        content = _json({"$ref": "#/components/schemas/JupyterError"})
        return {
            str(status): {"description": http.HTTPStatus(status).phrase, "content": content}
            for status in sorted({*_ANY_TIME, *self.errors})
        }


def served(operations: Sequence[Operation]) -> list[Route]:
    """The routes of *operations*."""
    return [_route(each) for each in operations]


def paths(operations: Sequence[Operation]) -> Json:
    """The OpenAPI path items."""
    told: Json = {}
    for operation in operations:
        told.setdefault(operation.path, {})[operation.verb.lower()] = operation.document()
    return told


def _route(operation: Operation) -> Route:
    route = Route(operation.path, operation, methods=[operation.verb], name=operation.path)
    route.methods = {operation.verb}  # Starlette adds HEAD to GET
    return route


def _place(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": schemas.PLACES[name]}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}
