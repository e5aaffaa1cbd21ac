"""Who asks, and what they may: the side of access control that routes see."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from sandlot.contracts.errors import Forbidden

from .connection import Connection
from .dialect import Context
from .lifecycle import OwnService

LOCAL_SCOPES = frozenset({"read", "write", "metrics"})
LOCAL_OWNER = "local"
"""Who owns the sandboxes of callers without a key."""


@dataclass(frozen=True)
class Caller:
    """Who asks: the owner whose sandboxes they see, and what they may do.

    `key_id` is None for a keyless caller of this machine (`is_local`), who gets no mounts, secrets or
    host tools.
    """

    owner: str
    scopes: frozenset[str]
    key_id: str | None
    is_local: bool


LOCAL = Caller(LOCAL_OWNER, LOCAL_SCOPES, None, is_local=True)


def context_of(request: HTTPConnection) -> Context:
    """The server that *request* came to."""
    context: Context = request.scope["state"]["context"]
    return context


def connection_of(request: HTTPConnection) -> Connection | None:
    """The connection that *request* came by; None where nobody knows."""
    connection: Connection | None = request.scope["state"].get("connection")
    return connection


def caller_of(request: HTTPConnection) -> Caller:
    """Who sent *request*."""
    caller: Caller = request.scope["state"]["caller"]
    return caller


def service_of(request: HTTPConnection) -> OwnService:
    """The caller's own sandboxes. Raises StartFailed while the server is starting."""
    return context_of(request).service.of(caller_of(request).owner)


def demand(request: HTTPConnection, scope: str) -> Caller:
    """The caller, if they may do what *scope* of SCOPES allows. Raises Forbidden."""
    caller = caller_of(request)
    if scope not in caller.scopes:
        raise Forbidden(
            f"this key lacks the scope {scope!r}: sandlot key create --scope {scope} makes another"
        )
    return caller
