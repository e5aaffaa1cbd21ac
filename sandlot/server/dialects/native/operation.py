"""Operation: one verb of one path, as the server routes it and as the document of the API tells it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandlot.server.access import demand
from sandlot.server.openapi import problems

from .asked import ID_PATTERN
from .reading import refuse_hidden_slash

Endpoint = Callable[[Request], Awaitable[Response]]
Json = dict[str, Any]
BYTES: Json = {"type": "string", "format": "binary"}
"""The schema of bytes."""
_LINE = {"type": "string"}
SENT_EVENT: Json = {
    "type": "object",
    "properties": {"id": _LINE, "event": _LINE, "data": {**_LINE, "contentMediaType": "application/json"}},
    "required": ["id", "event", "data"],
}
"""The schema of a server-sent event: until OpenAPI 3.2, that of a stream of them is that of each."""

_REFERENCE = "#/components/schemas/{model}"
_ANY_TIME = (400, 401, 403, 408, 413, 429, 500, 503)
_PLACES = {
    "id": "The sandbox, by the name its owner chose",
    "exec": "The streamed command, from its event `started`",
    "process": "The background process",
    "context": "The context, by its id, or `default`",
    "checkpoint": "The checkpoint, by its id",
    "cell": "The streamed cell, from its event `begun`",
}
_LATER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 0}}}
_HEADERS: Mapping[int | str, Json] = {
    401: {"WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}}},
    416: {"Content-Range": {"description": "The size there is", "schema": {"type": "string"}}},
    429: _LATER,
    503: _LATER,
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of the query, or a header."""

    name: str
    about: str
    schema: Json
    is_required: bool = False
    place: str = "query"

    def document(self) -> Json:
        """Its OpenAPI parameter object."""
        return {
            "name": self.name,
            "in": self.place,
            "required": self.is_required,
            "description": self.about,
            "schema": self.schema,
        }


@dataclass(frozen=True)
class Answer:
    """What is answered when all went well: by media type a model, or a schema."""

    status: int
    about: str
    content: Mapping[str, type[BaseModel] | Json]
    headers: Mapping[str, str] | None = None

    def document(self) -> Json:
        """Its OpenAPI response object."""
        told: Json = {"description": self.about}
        if self.content:
            told["content"] = _content(self.content)
        if self.headers:
            told["headers"] = {
                name: {"description": about, "schema": {"type": "string"}}
                for name, about in self.headers.items()
            }
        return told


@dataclass(frozen=True)
class Operation:
    """One verb of one path. `scope` is what the caller's key must allow; `errors` are statuses of its own."""

    verb: str
    path: str
    endpoint: Endpoint
    scope: str
    summary: str
    answers: Sequence[Answer]
    errors: Sequence[int] = ()
    body: Mapping[str, type[BaseModel] | Json] | None = None
    parameters: Sequence[Parameter] = ()
    needs_body: bool = True

    async def answer(self, request: Request) -> Response:
        """Serve *request*. Raises SandlotError kinds, HTTPException, ClientDisconnect."""
        demand(request, self.scope)
        refuse_hidden_slash(request)
        return await self.endpoint(request)

    def document(self) -> Json:
        """Its OpenAPI operation object."""
        names = [part.title() for part in re.findall("[a-z]+", self.path.removeprefix("/v1"))]
        told: Json = {
            "operationId": self.verb.lower() + "".join(names),
            "summary": self.summary,
            "tags": ["native"],
            "parameters": [*self._places(), *(each.document() for each in self.parameters)],
            "responses": {str(each.status): each.document() for each in self.answers}
            | {str(status): told for status, told in self._problems().items()},
        }
        if self.body is not None:
            told["requestBody"] = {"required": self.needs_body, "content": _content(self.body)}
        return told

    def models(self) -> Iterable[type[BaseModel]]:
        """The models it refers to."""
        contents = [each.content for each in self.answers] + [self.body or {}]
        for content in contents:
            yield from (each for each in content.values() if isinstance(each, type))

    def _problems(self) -> Mapping[int | str, Json]:
        found = problems(*sorted({*_ANY_TIME, *self.errors}))
        return {
            status: {**told, "headers": _HEADERS[status]} if status in _HEADERS else told
            for status, told in found.items()
        }

    def _places(self) -> Iterable[Json]:
        for name in re.findall("{([a-z]+)}", self.path):
            schema = {"type": "string", "pattern": ID_PATTERN}
            yield Parameter(name, _PLACES[name], schema, is_required=True, place="path").document()


def served(operations: Sequence[Operation]) -> list[Route]:
    """One route for each path; a verb it lacks is answered 405, with those it has."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.verb] = operation
    return [_route(path, table) for path, table in by_path.items()]


def paths(operations: Sequence[Operation]) -> Json:
    """The OpenAPI path items."""
    told: Json = {}
    for operation in operations:
        told.setdefault(operation.path, {})[operation.verb.lower()] = operation.document()
    return told


def schemas(operations: Sequence[Operation]) -> Json:
    """The schemas that the path items refer to."""
    models = {model: None for operation in operations for model in operation.models()}
    _, told = models_json_schema(
        [(model, "validation") for model in models],
        by_alias=True,
        ref_template=_REFERENCE,
        schema_generator=_Untitled,
    )
    found: Json = told["$defs"]
    return found


class _Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:
        """Never: a field's title would be its name once more."""
        del schema
        return False


class _Verbs:
    """ASGI: the operations of one path, whose verb has been looked at."""

    def __init__(self, table: Mapping[str, Operation]) -> None:
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await self._table[scope["method"]].answer(request)
        await response(scope, receive, send)


def _route(path: str, table: Mapping[str, Operation]) -> Route:
    route = Route(path, _Verbs(table), methods=list(table), name=path)
    # Starlette adds HEAD to GET; streams have no head apart from their body.
    route.methods = set(table)
    return route


def _content(content: Mapping[str, type[BaseModel] | Json]) -> Json:
    return {media: {"schema": _schema(each)} for media, each in content.items()}


def _schema(told: type[BaseModel] | Json) -> Json:
    return {"$ref": _REFERENCE.format(model=told.__name__)} if isinstance(told, type) else told
