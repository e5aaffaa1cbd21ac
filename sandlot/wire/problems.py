"""Errors over HTTP: one table of statuses and codes, `application/problem+json` (RFC 9457) both ways."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple, Type

from sandlot.contracts import errors
from sandlot.contracts.errors import InvalidSpec, SandlotError

from .fields import object_from

MEDIA_TYPE = "application/problem+json"
_LONGEST = 2000
_RETRY_AFTER = "1"

# Status and title by code.
_TABLE: Mapping[str, Tuple[int, str]] = {
    "invalid_spec": (400, "The request cannot be read"),
    "path_escape": (400, "A path leads out of the sandbox"),
    "unauthorized": (401, "No valid key came with the request"),
    "forbidden": (403, "The key does not allow this"),
    "network_denied": (403, "Network policy forbids the connection"),
    "approval_rejected": (403, "The call was rejected"),
    "not_found": (404, "There is no such thing"),
    "conflict": (409, "Its state forbids the request"),
    "output_too_large": (413, "More would come out than may"),
    "unsupported": (422, "What was asked cannot be done or enforced here"),
    "quota_denied": (429, "The quota is used up"),
    "out_of_memory": (507, "The memory given ran out"),
    "disk_full": (507, "The storage given ran out"),
    "too_many_processes": (507, "The processes given ran out"),
    "timed_out": (504, "The time given ran out"),
    "engine_unavailable": (503, "The engine cannot work here"),
    "start_failed": (503, "The sandbox did not start"),
    "box_died": (503, "The box ended while it was in use"),
    "pool_exhausted": (503, "Nothing came free in time"),
    "connection_lost": (502, "A connection broke"),
}
_RETRIED = ("quota_denied", "start_failed", "pool_exhausted")

# What a status means where no code of ours says it: a proxy's answer, or another server's.
_BY_STATUS: Mapping[int, Type[SandlotError]] = {
    400: errors.InvalidSpec,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.Unsupported,
    408: errors.TimedOut,
    409: errors.Conflict,
    413: errors.InvalidSpec,
    415: errors.InvalidSpec,
    422: errors.Unsupported,
    429: errors.QuotaDenied,
    500: errors.StartFailed,
    502: errors.ConnectionLost,
    503: errors.StartFailed,
    504: errors.TimedOut,
    507: errors.DiskFull,
}


def status_of(error: SandlotError) -> int:
    """The HTTP status that tells *error*."""
    return _TABLE[error.code][0]


def headers_of(error: SandlotError) -> Dict[str, str]:
    """The headers that belong to an answer that tells *error*."""
    if error.code == "unauthorized":
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": _RETRY_AFTER} if error.code in _RETRIED else {}


def problem(error: SandlotError, request_id: str, instance: str = "") -> Dict[str, Any]:
    """The body that tells *error*; *instance* is the path that was asked for, escaped."""
    status, title = _TABLE[error.code]
    return problem_of(
        status,
        error.code,
        error.message,
        title=title,
        request_id=request_id,
        instance=instance,
        retryable=error.retryable,
    )


def problem_of(
    status: int,
    code: str,
    detail: str,
    *,
    title: str,
    request_id: str,
    instance: str = "",
    retryable: bool = False,
) -> Dict[str, Any]:
    """A problem that is no SandlotError: an unknown route (404), a body too large, an error of ours (500)."""
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        **({"instance": instance} if instance else {}),
        "code": code,
        "error": detail,
        "requestId": request_id,
        "retryable": retryable,
    }


def error_from(status: int, body: bytes, headers: Mapping[str, str]) -> SandlotError:
    """The error that an answer tells, by its code, else by its status; names in *headers* are lower case.

    The message is the server's, escaped and cut to 2000 characters.
    """
    told = _object(body)
    code = told.get("code")
    message = readable(_message(told, body) or f"the server answered {status} without saying why")
    request = told.get("requestId") or headers.get("x-request-id")
    if isinstance(request, str) and status >= 500:
        message = f"{message} (request {readable(request[:128])})"
    kind = errors.kinds().get(code) if isinstance(code, str) else None
    if kind is not None:
        return kind(message)
    return _of_status(status)(message)


def readable(text: str) -> str:
    """*text* of a stranger for a message: what does not print is escaped, and 2000 characters are kept."""
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii")
        for each in text[:_LONGEST]
    )
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def _of_status(status: int) -> Type[SandlotError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status < 400:  # an answer nobody asked for, such as a redirect: not the server that is meant
        return errors.ConnectionLost
    return InvalidSpec if status < 500 else errors.StartFailed


def _object(body: bytes) -> Dict[str, Any]:
    try:
        return object_from(body)
    except InvalidSpec:
        return {}


def _message(told: Dict[str, Any], body: bytes) -> Optional[str]:
    for name in ("detail", "error", "message"):
        found = told.get(name)
        if isinstance(found, str) and found:
            return found
    return None if told else body[:_LONGEST].decode("utf-8", "replace").strip()
