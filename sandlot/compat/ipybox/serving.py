"""What an ExecutionContainer stands on: one sandbox behind two ports, on an event loop of its own.

So it answers whichever loop its callers run on, and while they keep that busy. Importing this needs the extra
`sandlot[server]`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from sandlot import settings
from sandlot.contracts.spec import SandboxSpec
from sandlot.local.iteration import Background
from sandlot.local.start import start
from sandlot.server import access, errors
from sandlot.server.dialect import Context, Dialect
from sandlot.server.dialects.jupyter import routes_within
from sandlot.server.within import answering

Value = TypeVar("Value")
Make = Callable[[Context], Dialect]
NAME: Final = "ipybox"
"""Of the sandbox."""

_METHODS: Final = ["GET", "PUT", "POST", "PATCH", "DELETE"]
_UNBUILT: Final = (
    "the resource server has only /status yet: share files by `binds`, or read and write them in a cell"
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where on loopback kernels are made, and where the resource server is."""

    executor: int
    resource: int


class Serving:
    """A sandbox and its two ports, from `open` to `close`, for callers on any event loop."""

    def __init__(self) -> None:
        """There is none yet, only its loop."""
        self._background = Background()
        self._stack = AsyncExitStack()

    async def open(self, spec: SandboxSpec, wanted: Ports) -> Ports:
        """Make the sandbox of *spec* and listen at the ports *wanted*, 0 for free ones.

        Raises Conflict for a port that is taken, and as Service.ensure; `close` it all the same.
        """
        return await self._there(self._open(spec, wanted))

    async def close(self) -> None:
        """End the sandbox and all that runs in it; once."""
        try:
            await self._there(self._stack.aclose())
        finally:
            self._background.close()

    async def _open(self, spec: SandboxSpec, wanted: Ports) -> Ports:
        service = start()
        self._stack.push_async_callback(service.close)
        await service.of(access.LOCAL_OWNER).ensure(NAME, spec)
        kernels: Make = partial(routes_within, sandbox=NAME)
        answered = [(kernels, wanted.executor), (_resources, wanted.resource)]
        chosen = settings.load()
        ports = [
            await self._stack.enter_async_context(answering(chosen, service, make, port))
            for make, port in answered
        ]
        return Ports(*ports)

    async def _there(self, work: Coroutine[Any, Any, Value]) -> Value:
        return await asyncio.wrap_future(self._background.begin(work))


def _resources(_context: Context) -> Dialect:
    """What stands at the resource server's port until that is built."""
    routes: list[BaseRoute] = [
        Route("/status", _status, methods=["GET"]),
        Route("/status/", _status, methods=["GET"]),
        Route("/{path:path}", _unbuilt, methods=_METHODS),
    ]
    return Dialect("resources", routes, prefix="/", tells=_told)


async def _status(request: Request) -> Response:
    access.demand(request, "read")
    return JSONResponse({"status": "ok"})


async def _unbuilt(request: Request) -> Response:
    access.demand(request, "read")
    raise HTTPException(501, _UNBUILT)


def _told(error: Exception, scope: Scope, request_id: str) -> Response:
    """Errors as FastAPI tells them."""
    found = errors.answer(error, scope, request_id)
    detail = error.detail if isinstance(error, HTTPException) else getattr(error, "message", "")
    return JSONResponse({"detail": detail or "Internal Server Error"}, found.status_code)
