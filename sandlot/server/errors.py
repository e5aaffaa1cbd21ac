"""Every error as problem+json: one door for our own errors, the framework's, and what nobody expected."""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from sandlot.contracts.errors import SandlotError
from sandlot.wire import problems

from . import tracing

CLIENT_CLOSED_REQUEST = 499
"""Nobody reads this status: the client has gone. It marks the access log and the counters."""
EXPECTED = (SandlotError, HTTPException, ClientDisconnect)
"""What `answer` tells as it is; anything else is a fault of ours."""

# Statuses that no SandlotError has, by the code a client reads.
_CODES: Mapping[int, str] = {
    400: "invalid_spec",
    404: "not_found",
    405: "method_not_allowed",
    408: "timed_out",
    413: "too_large",
    415: "invalid_spec",
    431: "too_large",
    503: "draining",
}
_DETAILS: Mapping[int, str] = {
    404: "there is no such route: see /docs",
    405: "this route has other methods: the header Allow lists them",
}
_RETRIED = (408, 503)


def answer(error: Exception, scope: Scope, request_id: str) -> Response:
    """The response that tells *error* to who sent the request of *scope*."""
    # A path is shown percent-encoded: what a stranger wrote is nobody's markup or control character.
    instance = quote(scope.get("path", ""), errors="replace")[:1024]
    if isinstance(error, SandlotError):
        body = problems.problem(error, request_id, instance)
        return _response(body, problems.headers_of(error))
    if isinstance(error, ClientDisconnect):
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    if isinstance(error, HTTPException):
        body = _problem(error.status_code, error.detail, request_id, instance)
        return _response(body, error.headers or {})
    detail = f"the server failed: its log says why under request {request_id}"
    return _response(_problem(500, detail, request_id, instance), {})


def refusal(error: Exception, scope: Scope) -> Response:
    """The response to what never reached a route: it has a made request id, and its connection closes."""
    request_id = tracing.request_id(None)
    told = answer(error, scope, request_id)
    told.headers.update({"x-request-id": request_id, "connection": "close"})
    return told


def _problem(status: int, detail: str, request_id: str, instance: str) -> dict[str, Any]:
    title = http.HTTPStatus(status).phrase
    return problems.problem_of(
        status,
        _CODES.get(status, "internal" if status >= 500 else "invalid_spec"),
        # Starlette fills the phrase in where a route said nothing.
        _DETAILS.get(status, detail) if detail == title else detail,
        title=title,
        request_id=request_id,
        instance=instance,
        retryable=status in _RETRIED,
    )


def _response(body: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    return Response(
        json.dumps(body, separators=(",", ":")).encode(),
        body["status"],
        dict(headers),
        media_type=problems.MEDIA_TYPE,
    )
