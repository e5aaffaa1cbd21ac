"""The document of the API: what the dialects, and the server itself, say of their routes (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandlot import __version__

from .dialect import Dialect

PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "error", "requestId", "retryable"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, the value, the next step."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "code": {"type": "string", "description": "Stable: programs decide by it."},
        "error": {"type": "string", "description": "The same as detail, for older clients."},
        "requestId": {"type": "string"},
        "retryable": {"type": "boolean", "description": "Whether the same request may succeed later."},
    },
}
"""The schema of every error body; a document has it as `#/components/schemas/Problem`."""
_WHY = {
    400: "The request cannot be read.",
    401: "A valid key is wanted.",
    403: "That is not allowed.",
    404: "There is no such thing.",
    408: "The body came too slowly.",
    409: "The state of it forbids that.",
    413: "The body is too large.",
    415: "The body has another content type than is read.",
    416: "The range lies outside.",
    422: "That cannot be done or enforced here.",
    429: "The quota is used up.",
    500: "The server failed.",
    502: "A connection broke.",
    503: "Not now.",
    504: "The time given ran out.",
    507: "A limit of the sandbox is used up.",
}
_SCHEME = {"key": {"type": "http", "scheme": "bearer", "description": "An API key: sandlot key create."}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of an operation that may end in *statuses*, as problem+json."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _WHY.get(status, "An error."), "content": content} for status in statuses}


def document(own: Mapping[str, Any], dialects: Iterable[Dialect]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a server with the path items *own* and those of *dialects*."""
    paths, schemas = dict(own), {"Problem": dict(PROBLEM)}
    for dialect in dialects:
        paths.update(dialect.openapi())
        schemas.update(dialect.schemas())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sandlot",
            "summary": "Runs code nobody has read yet, behind the strongest walls the machine offers.",
            "version": __version__,
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SCHEME},
        # A key or, for callers of the same machine where there is no key yet, none.
        "security": [{"key": []}, {}],
    }
