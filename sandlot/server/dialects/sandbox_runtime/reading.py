"""What a request says: its body, its query, and the session in its path, made where there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.engine import Box, Files
from sandlot.contracts.errors import InvalidSpec, NotFound
from sandlot.contracts.lease import State
from sandlot.contracts.paths import identifier
from sandlot.contracts.spec import Network, SandboxSpec
from sandlot.server import answers
from sandlot.server.access import context_of, demand, service_of
from sandlot.server.policy import admit
from sandlot.server.query import Query
from sandlot.server.reading import json_body, query_of

Value = TypeVar("Value")
_SELDOM = 0.01
"""The part of a lease that passes before it is renewed: each renewal is written to disk."""


class Session(NamedTuple):
    """A session that is used: its name and its box, which can do single files."""

    name: str
    box: Box

    @property
    def files(self) -> Files:
        """Its files."""
        return cast("Files", self.box)


def named(request: Request) -> str:
    """The session in the path. Raises InvalidSpec when it is no name of one."""
    name = identifier(request.path_params["id"], "session id")
    if name not in map(unquote, request.scope["raw_path"].decode("latin-1").split("/")):
        raise InvalidSpec(f"what stands behind {name!r} is an escaped slash: no session has one in its name")
    return name


async def body_of(request: Request, read: Callable[[Mapping[str, Any]], Value]) -> Value:
    """What *read* makes of the JSON in the body. Raises HTTPException: 422 where that cannot be read."""
    try:
        return read(await json_body(request))
    except InvalidSpec as error:
        raise HTTPException(422, error.message) from None


def asked_of(request: Request, read: Callable[[Query], Value]) -> Value:
    """What *read* makes of the query. Raises HTTPException: 422 where that cannot be read."""
    try:
        return read(query_of(request))
    except InvalidSpec as error:
        raise HTTPException(422, error.message) from None


def new_sandbox(request: Request) -> SandboxSpec:
    """What a sandbox is asked to be. Callers have no word for its network: the operator speaks for them.

    Raises Forbidden as policy.admit.
    """
    settings = context_of(request).settings
    is_open = settings.allow_network and settings.network is Network.FULL
    return admit(SandboxSpec(network=Network.FULL if is_open else None), settings)


def new_session(request: Request) -> SandboxSpec:
    """As new_sandbox, for one that lasts."""
    return replace(new_sandbox(request), ttl=context_of(request).settings.session_ttl)


async def session_of(request: Request) -> Session:
    """The session in the path, made where there is none; its lease is renewed.

    Raises as Service.ensure, and Forbidden where there is none and the caller may not make one.
    """
    name = named(request)
    box = await answers.unless_gone(request, _reached(request, name))
    require(Feature.FILES, box.features, engine=box.engine)
    return Session(name, box)


async def _reached(request: Request, name: str) -> Box:
    service = service_of(request)
    try:
        found = await service.status(name)
        if found.state is State.ENDED:
            raise NotFound(f"session {name!r} has ended")
        ttl = found.lease.ttl
        if ttl is not None and context_of(request).clock() - found.lease.active > ttl * _SELDOM:
            await service.touch(name)
        return await service.reach(name)
    except NotFound:
        demand(request, "write")
        await service.ensure(name, new_session(request))
        return await service.reach(name)
