"""From start to end of a server: what it stands on, and whether it takes requests."""

from __future__ import annotations

import asyncio
import enum
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sandlot.contracts.engine import Box
from sandlot.contracts.errors import StartFailed
from sandlot.contracts.service import Service
from sandlot.contracts.spec import SandboxSpec
from sandlot.pool.supply import Supply
from sandlot.sandboxes.census import Census

_CLEANUP = 10.0
"""Seconds that cancelled requests have to clean up."""


class OwnService(Service, Protocol):
    """The sandboxes of one owner, on this machine."""

    def stay(self, spec: SandboxSpec) -> AbstractAsyncContextManager[Box]:
        """A box without a name for the length of a block, in which one command runs."""


class Services(Protocol):
    """What the server stands on: one Service per owner (sandlot.local gives it)."""

    def of(self, owner: str) -> OwnService:
        """The sandboxes of *owner*, who sees no others."""

    def census(self) -> Census:
        """How many sandboxes there are, of every owner."""

    def supplies(self) -> tuple[Supply, ...]:
        """How every stock of warm boxes stands."""

    async def close(self) -> None:
        """Let go of everything; idempotent."""


class Phase(enum.Enum):
    """How far a server is."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    """Told to stop: what runs may end, nothing new begins."""


class Lifecycle:
    """The one mutable thing of a server that its parts share."""

    def __init__(self) -> None:
        """Begin in STARTING."""
        self.phase = Phase.STARTING
        self.draining = asyncio.Event()
        """Set when the server is told to stop: endless streams end then."""
        self.begun = asyncio.Event()
        """Set when the server is no longer STARTING."""
        self._service: Services | None = None
        self._requests: set[asyncio.Task[object]] = set()

    @property
    def service(self) -> Services:
        """What the server stands on. Raises StartFailed before it is open."""
        if self._service is None:
            raise StartFailed("the server is still starting: ask again in a second")
        return self._service

    def open(self, service: Services) -> None:
        """Take requests, and answer them with *service*."""
        self._service = service
        if self.phase is Phase.STARTING:
            self.phase = Phase.SERVING
        self.begun.set()

    def drain(self) -> None:
        """Take no more requests; idempotent."""
        self.phase = Phase.DRAINING
        self.draining.set()
        self.begun.set()

    async def close(self) -> None:
        """Let go of the service, if it was opened; idempotent."""
        if self._service is not None:
            await self._service.close()

    def running(self) -> Running:
        """Count the current task as a request while a block lasts."""
        return Running(self._requests)

    async def finish(self, grace: float, hurry: asyncio.Event) -> int:
        """Wait until no request runs, for *grace* seconds or until *hurry*; then end the rest, and count it.

        New requests are refused meanwhile (`drain` came first).
        """
        hurried = asyncio.ensure_future(hurry.wait())
        try:
            async with asyncio.timeout(grace):
                while self._requests and not hurry.is_set():
                    waiting = [*self._requests, hurried]
                    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        finally:
            hurried.cancel()
        doomed = list(self._requests)
        for task in doomed:
            task.cancel()
        if doomed:
            await asyncio.wait(doomed, timeout=_CLEANUP)
        return len(doomed)


class Running:
    """The current task, for the length of a block one of those that answer requests."""

    __slots__ = ("_requests", "_task")

    def __init__(self, requests: set[asyncio.Task[object]]) -> None:
        """Made by Lifecycle.running."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a request is answered by a task of its own
        self._requests, self._task = requests, task

    def __enter__(self) -> None:
        self._requests.add(self._task)

    def __exit__(self, *_why: object) -> None:
        self._requests.discard(self._task)
