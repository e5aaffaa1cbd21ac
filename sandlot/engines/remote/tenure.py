"""Tenure: the hold on one sandbox of a backend, from its creation to its end.

A backend ends by itself what nobody renews, so a holder that crashes leaves nothing for longer than a lease.
A holder that lives renews three times per lease, and two of these may fail.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TypeVar

from sandlot.client.async_driver import AsyncDriver
from sandlot.client.facts import gone, pauses
from sandlot.client.kept import Place
from sandlot.contracts.cells import Cell, CellEvent
from sandlot.contracts.errors import BoxDied, NotFound, SandlotError
from sandlot.contracts.lease import Ending, EndReason
from sandlot.wire.flows.exchange import Flow, Stream

Value = TypeVar("Value")
Item = TypeVar("Item")

_CLOSED = "host: closed"

Question = Callable[[str], Flow[Ending | None]]
"""Asks about the sandbox of that name: how it ended, None while it is up. Raises NotFound when it is gone."""


@dataclass(frozen=True, slots=True)
class Verbs:
    """How a backend is spoken to about one sandbox; `look` changes nothing. None: it cannot be asked."""

    renew: Question
    look: Question | None
    delete: Callable[[str], Flow[None]]


class Tenure:
    """Renews the lease of one sandbox until its end, and tells that end to all who wait."""

    def __init__(
        self,
        driver: AsyncDriver,
        name: str,
        lease: float,
        verbs: Verbs,
        over: Callable[[Tenure], None],
    ) -> None:
        """Hold the sandbox *name*, made just now for *lease* seconds; *over* is called once it was closed."""
        loop = asyncio.get_running_loop()
        self._driver, self._name, self._lease, self._verbs = driver, name, lease, verbs
        self._ending: asyncio.Future[Ending] = loop.create_future()
        self._renewed = loop.time()
        self._tasks = [asyncio.ensure_future(self._keep())]
        self._is_watched = False
        self._over = over
        self._is_closed = False

    def demand(self) -> None:
        """Raise BoxDied once the sandbox has ended: its name must not bring up another one unnoticed."""
        if self._ending.done():
            ending = self._ending.result()
            why = ending.detail or ending.reason.value
            raise BoxDied(f"the sandbox of engine remote has ended ({why}): make another one", who="host")

    async def check(self) -> None:
        """Ask at once. Raises BoxDied when the sandbox has ended."""
        await self._ask(self._verbs.look or self._verbs.renew)
        self.demand()

    async def died(self, who: str | None) -> None:
        """A command told that the box died under it: it has ended, whatever becomes of its name."""
        with suppress(BoxDied):
            await self.check()
            self._end(Ending(EndReason.BOX_DIED, time.time(), f"{who or 'agent'}: told by a command"))

    async def ended(self) -> Ending:
        """As Box.ended."""
        if not (self._is_watched or self._ending.done() or self._verbs.look is None):
            self._is_watched = True
            self._tasks.append(asyncio.ensure_future(self._watch(self._verbs.look)))
        return await asyncio.shield(self._ending)

    async def close(self) -> None:
        """End the sandbox. Raises Unavailable kinds when that could not be told: its lease ends it then."""
        self._stop()
        if self._is_closed:
            return
        try:
            with suppress(NotFound):
                await self._driver.value(self._verbs.delete(self._name))
            self._is_closed = True
            self._over(self)
        finally:
            self._end(Ending(EndReason.KILLED, time.time(), _CLOSED))

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() - self._renewed < self._lease:
            await asyncio.sleep(self._lease / 3)
            await self._ask(self._verbs.renew)
            if self._ending.done():
                return
        silence = f"its backend was not reached for the {self._lease:g} s of its lease"
        self._end(Ending(EndReason.EXPIRED, time.time(), silence))

    async def _watch(self, look: Question) -> None:
        for pause in pauses():
            await self._ask(look)
            if self._ending.done():
                return
            await asyncio.sleep(pause)

    async def _ask(self, question: Question) -> None:
        try:
            ending = await self._driver.value(question(self._name))
        except NotFound:
            ending = gone(time.time())
        except SandlotError:
            return  # it is asked again; the commands under way tell their own errors
        if ending is not None:
            self._end(ending)
        elif question is self._verbs.renew:
            self._renewed = asyncio.get_running_loop().time()

    def _end(self, ending: Ending) -> None:
        self._stop()
        if not self._ending.done():
            self._ending.set_result(ending)

    def _stop(self) -> None:
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()


class HeldDriver(AsyncDriver):
    """Drives what is asked of one sandbox; everything is BoxDied once that has ended."""

    def __init__(self, driver: AsyncDriver, tenure: Tenure) -> None:
        """Drive over the transport of *driver* as long as *tenure* lasts."""
        super().__init__(driver.transport)
        self.channels = driver.channels  # which end with that
        self._tenure = tenure

    async def value(self, flow: Flow[Value], content: AsyncIterable[bytes] | None = None) -> Value:
        """As AsyncDriver.value."""
        self._tenure.demand()
        try:
            return await super().value(flow, content)
        except NotFound:
            await self._tenure.check()  # it may be the sandbox that is not found
            raise

    async def items(self, stream: Stream[Item]) -> AsyncGenerator[Item, None]:
        """As AsyncDriver.items."""
        self._tenure.demand()
        try:
            async with aclosing(super().items(stream)) as items:
                async for item in items:
                    yield item
        except NotFound:
            await self._tenure.check()
            raise

    async def cells(self, place: Place, cell: Cell) -> AsyncGenerator[CellEvent, None]:
        """As AsyncDriver.cells."""
        self._tenure.demand()
        try:
            async with aclosing(super().cells(place, cell)) as events:
                async for event in events:
                    yield event
        except NotFound:
            await self._tenure.check()
            raise
