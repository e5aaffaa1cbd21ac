"""What a request passes before a byte of its body is read: drain, Host and Origin, and who asks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from sandlot.contracts.errors import Forbidden, Unauthorized

from . import keys, peers
from .access import LOCAL, Caller
from .connection import Connection
from .dialect import Context
from .head import Head, head_of
from .hosts import HostRules
from .keyring import KeyRing
from .lifecycle import Phase

OPEN = ("/healthz", "/readyz")
"""Routes that tell nothing worth a key: a supervisor asks them by whatever name it knows."""
_SUBPROTOCOL = "sandlot.key."
_SCHEMES = (b"bearer", b"token")  # the second is what Jupyter's clients say
_NO_TOKEN = b"token"  # and so they say that they have none
_IN_QUERY = (b"access_token=", b"api_key=", b"token=", b"key=")


@dataclass(frozen=True)
class Access:
    """Which callers are let in: with a key of *ring*; without one where *is_loopback* and *mode* allow it."""

    ring: KeyRing
    mode: str
    is_loopback: bool

    @property
    def needs_key(self) -> bool:
        """Whether keyless callers are refused now."""
        if not self.is_loopback or self.mode == "keys":
            return True
        return self.mode == "auto" and self.ring.is_in_use


class Gate:
    """ASGI: refuses what is not to reach a route, and puts the Caller into the state of the rest.

    A server that was told to stop begins nothing new. Requests by names that are not ours, from pages that
    may not send them, and of callers that nobody knows are refused.
    """

    def __init__(self, app: ASGIApp, context: Context, access: Access, rules: HostRules) -> None:
        """Guard *app* by *access* and *rules*."""
        self._app = app
        self._context = context
        self._access = access
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open, head = scope["path"] in OPEN, head_of(scope)
        if self._context.lifecycle.phase is Phase.DRAINING and not is_open:
            raise HTTPException(503, _STOPPING, {"Retry-After": "5", "Connection": "close"})
        is_ours = self._passes_doors(head, is_open=is_open)
        caller = await self._known(scope, head, is_open=is_open)
        if caller is LOCAL and not is_ours:
            caller = _STRANGER  # a page can reach us by a name of its own (hosts), but knows no key
        scope["state"]["caller"] = caller
        await self._app(scope, receive, send)

    def _passes_doors(self, head: Head, *, is_open: bool) -> bool:
        """Whether it came by a name of ours. Raises Forbidden."""
        host = head.once(b"host")
        is_ours = self._rules.allows_host(host)
        if not (is_ours or is_open):
            self._context.metrics.refused("host")
            raise Forbidden("this server is not called by that name: use --allow-host to add one")
        if not self._rules.allows_origin(head.once(b"origin"), host):
            self._context.metrics.refused("origin")
            raise Forbidden("a page of that origin may not call this server: use --allow-origin to add one")
        return is_ours

    async def _known(self, scope: Scope, head: Head, *, is_open: bool) -> Caller:
        """Who asks; at an open route everybody may. Raises Unauthorized, Forbidden."""
        try:
            return await self._caller(scope, head)
        except (Unauthorized, Forbidden) as error:
            self._context.metrics.refused("key" if isinstance(error, Unauthorized) else "peer")
            if not is_open:
                raise
            return _STRANGER

    async def _caller(self, scope: Scope, head: Head) -> Caller:
        _refuse_keys_in_query(scope["query_string"])
        token = _token(scope, head)
        if token is None:
            if self._access.needs_key:
                raise Unauthorized(_WANTED)
            await self._demand_own_user(scope)
            return LOCAL
        key = self._access.ring.opened(token, self._context.clock())
        if key is None:
            raise Unauthorized(_WANTED)
        return Caller(key.owner, key.scopes, key.id, is_local=False)

    async def _demand_own_user(self, scope: Scope) -> None:
        connection: Connection | None = scope["state"].get("connection")
        told, uid = (True, None) if connection is None else await connection.user()
        if not peers.is_ours(told, uid):
            raise Forbidden(
                f"another user of this machine needs a key, the server is of uid {os.geteuid()}: "
                "ask its operator for `sandlot key create`"
            )


_STOPPING = "the server is stopping: ask another one, or again in some seconds"
_WANTED = "a valid key is wanted: send `Authorization: Bearer sl_...` (sandlot key create makes one)"
_STRANGER = Caller("", frozenset(), None, is_local=False)


def _refuse_keys_in_query(query: bytes) -> None:
    """Queries end up in logs and histories, so a key there is burnt: it is refused even if it is right."""
    if not query:
        return
    if any(part.startswith(_IN_QUERY) for part in query.lower().split(b"&")) or keys.ANYWHERE.search(
        unquote_to_bytes(query)
    ):
        raise Unauthorized("a key never stands in a query: send it as `Authorization: Bearer sl_...`")


def _token(scope: Scope, head: Head) -> str | None:
    """The credential that came, right or wrong; None when none did. Raises Unauthorized for a strange one."""
    values = [value for value in head.every(b"authorization") if value.strip().lower() != _NO_TOKEN]
    named = [name for name in scope.get("subprotocols", ()) if name.startswith(_SUBPROTOCOL)]
    if not values and not named:
        return None
    if len(values) + len(named) > 1:
        raise Unauthorized(_WANTED)
    if named:
        return str(named[0][len(_SUBPROTOCOL) :])
    scheme, _space, token = values[0].partition(b" ")
    if scheme.lower() not in _SCHEMES:
        raise Unauthorized(_WANTED)
    return str(token.strip().decode("latin-1"))
