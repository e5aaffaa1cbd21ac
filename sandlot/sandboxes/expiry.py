"""Expiry: one timer for every lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from .agenda import Agenda
from .means import Clock

Key = TypeVar("Key", bound=Hashable)

LONGEST_SLEEP = 30.0
"""Seconds between two looks at the clock, which may be set while nobody looks."""


class Expiry(Generic[Key]):
    """Tells when the time of a key has come. The clock is the wall's: leases outlive this process."""

    def __init__(self, clock: Clock, due: Callable[[Key], None], idle: Callable[[float], None]) -> None:
        """Call *due* with each key whose time has come, then *idle* with the time, at most 30 s apart."""
        self._clock, self._due, self._idle = clock, due, idle
        self._agenda: Agenda[Key] = Agenda()
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def note(self, key: Key, when: float | None) -> None:
        """Tell of *key* at *when* or before: whoever is told looks whether it is due, or notes it anew."""
        if when is not None and self._agenda.note(key, when):
            self._wake.set()
            if self._running is None:
                self._running = asyncio.ensure_future(self._run())

    def forget(self, key: Key) -> None:
        """Tell of *key* no more."""
        self._agenda.forget(key)

    def close(self) -> None:
        """Tell nothing more."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now = self._clock()
            for key in self._agenda.due(now):
                self._due(key)
            self._idle(now)
            try:
                async with asyncio.timeout(self._sleep(now)):
                    await self._wake.wait()
            except TimeoutError:
                continue  # the time has come

    def _sleep(self, now: float) -> float:
        first = self._agenda.first
        return LONGEST_SLEEP if first is None else min(LONGEST_SLEEP, max(0.0, first - now))
