"""Errors as the published error object, which its clients find at the top and in `detail`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from sandlot.server import errors

from .replies import flat

INVALID = "Sandbox.InvalidParameter"
EXCEPTION = "Sandbox.ExecException"
TIMEOUT = "Sandbox.ExecTimeout"
BUSY = "Sandbox.TooManyRequestsExection"  # so it is published
NOT_READY = "Sandbox.NotInitialized"
INTERNAL = "Sandbox.InternalError"

_LINK = "/docs"
_EXHAUSTED = ("pool_exhausted",)
_SOLUTIONS = {
    INVALID: "Correct the request as error_detail says; /api.json tells what is understood",
    EXCEPTION: "Look at stderr and error_detail for what the program did",
    TIMEOUT: "Make the program faster, or give it more time: event.__timeout for a handler",
    BUSY: "Ask again after the seconds that Retry-After tells",
    NOT_READY: "Ask again in a moment; if that does not help, /readyz tells the operator what is missing",
    INTERNAL: "Tell the operator the request id in X-Request-Id: the server's log says why",
}
_BY_STATUS = {429: BUSY, 503: NOT_READY, 504: TIMEOUT, 507: EXCEPTION}


def error_object(code: str, description: str, detail: str) -> dict[str, Any]:
    """The published error object."""
    return {
        "error_code": code,
        "description": description,
        "error_detail": detail,
        "error_link": _LINK,
        "solution": _SOLUTIONS[code],
    }


def told(
    status: int,
    error: Mapping[str, Any],
    more: Mapping[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """*error* with *status*, at the top and in `detail`, where *more* is besides."""
    detail = _detail(status, error)
    whole = {**error, "detail": {**detail, **(more or {})} if isinstance(detail, dict) else detail}
    return flat({**whole, **(more or {})}, status, headers)


def answer(error: Exception, scope: Scope, request_id: str) -> Response:
    """As sandlot.server.errors.answer, with the same statuses but for a pool that is exhausted: 429."""
    found = errors.answer(error, scope, request_id)
    if isinstance(error, ClientDisconnect):
        return found
    problem = json.loads(bytes(found.body))
    status = 429 if problem["code"] in _EXHAUSTED else found.status_code
    headers = {name: value for name, value in found.headers.items() if not name.startswith("content-")}
    code = _BY_STATUS.get(status, INVALID if status < 500 else INTERNAL)
    more = {key: problem[key] for key in ("code", "requestId", "retryable")}
    return told(status, error_object(code, problem["title"], problem["detail"]), more, headers)


def _detail(status: int, error: Mapping[str, Any]) -> Any:
    """`detail` in the type it has for that status in the original, whose framework is FastAPI."""
    if status == 422:
        return [{"type": "value_error", "loc": ["body"], "msg": error["error_detail"]}]
    if status < 500 and status != 429:
        return error["error_detail"]
    return dict(error)
