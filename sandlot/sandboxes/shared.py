"""Work that outlives the caller who began it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from sandlot.contracts.errors import Conflict

from . import audit

Value = TypeVar("Value")


class Shared(Generic[Value]):
    """One piece of work that several callers wait for; it is cancelled when the last of them has gone."""

    def __init__(self, work: Coroutine[Any, Any, Value], over: Callable[[], None]) -> None:
        """Begin *work*; *over* is called when it has ended, before any caller hears of it."""
        self._task = asyncio.ensure_future(work)
        self._task.add_done_callback(lambda _: over())
        self._callers = 0
        self._why: str | None = None

    @property
    def is_doomed(self) -> bool:
        """Whether it is being cancelled: nobody new should wait for it."""
        return self._why is not None

    async def result(self) -> Value:
        """What the work gives or raises. Raises Conflict with the reason when it was cancelled."""
        self._callers += 1
        try:
            return await asyncio.shield(self._task)
        except asyncio.CancelledError:
            if self._task.cancelled() and self._why is not None and not _is_cancelled():
                raise Conflict(self._why) from None
            raise
        finally:
            self._callers -= 1
            if not self._callers:
                await self.cancel("everybody who waited for it has gone: ask again")

    async def cancel(self, why: str) -> None:
        """Cancel the work and wait until it has cleared up; no more than a wait when it is over."""
        if self._task.done():
            return
        if self._why is None:
            self._why = why
            self._task.cancel()
        await self.over()

    async def over(self) -> None:
        """Wait for its end, whatever that is."""
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # seen: whoever cancelled it does not care


class Afterwards:
    """Work that goes on when its caller has gone, and whose failure nobody can mend."""

    def __init__(self) -> None:
        """Nothing goes on."""
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, work: Awaitable[None], about: str) -> asyncio.Task[None]:
        """Begin *work*; a failure is logged as one of *about*."""
        task = asyncio.ensure_future(audit.quietly(work, about))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def over(self) -> None:
        """Wait until nothing goes on."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def finished(function: Callable[..., Value], *arguments: object) -> Value:
    """What *function* gives, called in a thread; a cancel is told only when the thread has ended."""
    done = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    try:
        return await asyncio.shield(done)
    finally:
        while not done.done():
            try:
                await asyncio.wait([done])
            except asyncio.CancelledError:
                pass  # the first one goes on to the caller; the thread cannot be stopped
