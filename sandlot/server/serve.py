"""A server from start to end: listen, open the service, answer, drain, let go."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.spec import SandboxSpec
from sandlot.settings import Settings, listen_descriptor, watchdog_seconds

from . import hosts
from .app import build_app
from .dialect import Context, dialects
from .gate import Access
from .health import Health
from .keyring import KeyRing
from .lifecycle import Lifecycle, Phase, Services
from .listening import listen, most_connections, place_of
from .metrics import Metrics
from .notify import keep_telling, notify
from .policy import admit
from .worker import Worker, configured

_log = logging.getLogger(__name__)
Opener = Callable[[Settings, Callable[[SandboxSpec], object]], Awaitable[Services]]
"""Opens what the server stands on; the second argument judges specs of sandboxes that were kept."""


async def serve(
    settings: Settings, open_service: Opener, told: Callable[[str], None], descriptor: int | None = None
) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then drain; a second signal hastens that.

    *open_service* gives what the server stands on; requests are answered from the start, with 503 until it
    is open. *told* hears the server's address once it is. *descriptor* is a socket that was opened for us, by
    default the one that a service manager passes: there requests wait until it is open. Raises InvalidSpec or
    Conflict when it cannot listen or be opened.
    """
    descriptor = listen_descriptor() if descriptor is None else descriptor
    watched = watchdog_seconds()
    with contextlib.closing(listen(settings, descriptor)) as listener:
        place = place_of(listener)
        access = Access(KeyRing(settings.keys_file), settings.auth, place.is_local)
        _refuse_unguarded(access, place.url)
        context = Context(settings, Metrics(), Lifecycle())
        limits = settings.chosen_limits()
        health = Health(context.lifecycle, context.metrics, settings.data_directory, limits)
        app = build_app(context, dialects(context), health, access, hosts.rules(place, settings))
        server = Worker(configured(app, most_connections()))
        try:
            with _signals() as (stop, hurry):
                async with _alongside(health.watch()), _alongside(keep_telling(watched)):
                    answering = asyncio.ensure_future(
                        _answer(server, listener, context.lifecycle, at_once=descriptor is None)
                    )
                    answering.add_done_callback(lambda _: stop.set())
                    try:
                        await _stand(context, health, open_service, stop, lambda: told(place.url))
                    finally:
                        await _drain(context, server, hurry)
                        await answering
                        await context.lifecycle.close()
        finally:
            if descriptor is None and settings.unix is not None:
                settings.unix.unlink(missing_ok=True)


async def _answer(server: Worker, listener: socket.socket, lifecycle: Lifecycle, *, at_once: bool) -> None:
    """Answer at *listener*; unless *at_once*, callers wait there until the service is open."""
    if not at_once:
        await lifecycle.begun.wait()
        if lifecycle.phase is Phase.DRAINING:
            return
    await server.serve([listener])


async def _stand(
    context: Context, health: Health, open_service: Opener, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Open the service and answer with it until *stop*; who calls closes it."""
    opening = asyncio.ensure_future(
        open_service(context.settings, lambda spec: admit(spec, context.settings))
    )
    if not await _before(stop, opening):
        return
    service = opening.result()
    context.lifecycle.open(service)
    context.metrics.follow(service.census)
    context.metrics.follow_pools(service.supplies)
    ready()
    notify("READY=1")
    gc.freeze()  # what there is now stays: the collector need not go through it for every few requests
    async with _alongside(health.prove()):
        await stop.wait()


async def _drain(context: Context, server: Worker, hurry: asyncio.Event) -> None:
    """End in order: nothing new, what runs may finish, then the connections."""
    notify("STOPPING=1")
    context.lifecycle.drain()
    server.stop_accepting()
    _log.info("told to stop: what runs has %g s", context.settings.grace)
    ended = await context.lifecycle.finish(context.settings.grace, hurry)
    if ended:
        _log.warning("ended %d requests that still ran", ended)
    server.handle_exit(signal.SIGTERM, None)  # there are no requests left: it closes the connections


async def _before(stop: asyncio.Event, work: asyncio.Future[Any]) -> bool:
    """Whether *work* was done before *stop*; else it is cancelled, and has ended. Its error is raised."""
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
        return work.done()
    finally:
        stopping.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait([work])


@contextlib.contextmanager
def _signals() -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """Two events: we were told to stop, and told so again."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    told = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    # Who starts us with nohup(1), or in the background of a shell, has some of them ignored.
    numbers = [number for number in told if signal.getsignal(number) is not signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, lambda: hurry.set() if stop.is_set() else stop.set())
    try:
        yield stop, hurry
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _alongside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let *work* go on beside the block, and end with it."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _refuse_unguarded(access: Access, url: str) -> None:
    """No server that others reach answers without keys."""
    if access.is_loopback:
        return
    if access.mode == "local" or not access.ring.all():
        raise InvalidSpec(
            f"{url} is reached from other machines and there is no API key: make one with "
            "`sandlot key create NAME`, or listen at 127.0.0.1 or --unix PATH"
        )
