"""A small server within a program of others: one dialect at one port of loopback, for that program's user."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace

from sandlot.contracts.errors import Conflict
from sandlot.settings import Settings

from . import hosts
from .app import layered
from .dialect import Context, Dialect
from .gate import Access
from .keyring import NoKeys
from .lifecycle import Lifecycle, Services
from .listening import listen, place_of
from .metrics import Metrics
from .worker import Worker, configured

LOOPBACK = "127.0.0.1"
_GRACE = 1.0  # seconds for those who are told that it ends
_MOST = 256  # the limit of open files is the program's: it is not raised


@asynccontextmanager
async def answering(
    settings: Settings, service: Services, make: Callable[[Context], Dialect], port: int = 0
) -> AsyncIterator[int]:
    """Answer with the dialect of *make* over *service* for the length of a block; gives the port.

    There are no routes besides, no keys and no names but loopback's; callers must be of our user, or root.
    *port* 0 is a free one. Raises Conflict when it is taken.
    """
    settings = replace(
        settings, host=LOOPBACK, port=port, unix=None, auth="local", allow_hosts=(), allow_origins=()
    )
    try:
        listener = listen(settings)
    except Conflict as error:
        raise Conflict(f"port {port} of {LOOPBACK} is taken: choose another, or none at all") from error
    with closing(listener):
        lifecycle = Lifecycle()
        lifecycle.open(service)
        context = Context(settings, Metrics(), lifecycle)
        dialect, place = make(context), place_of(listener)
        access = Access(NoKeys(), settings.auth, place.is_local)
        app = layered(context, [dialect], dialect.routes, access, hosts.rules(place, settings))
        worker = Worker(configured(app, _MOST))
        answered = asyncio.ensure_future(worker.serve([listener]))
        try:
            yield place.port or 0
        finally:
            lifecycle.drain()
            worker.stop_accepting()
            await lifecycle.finish(_GRACE, asyncio.Event())
            worker.handle_exit(signal.SIGTERM, None)
            await answered
