"""Pool: an engine over one that can park boxes, so that a box is there before it is asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from sandlot.contracts.capability import Viability
from sandlot.contracts.engine import Box, Engine, Parked, Parking
from sandlot.contracts.errors import SandlotError, StartFailed
from sandlot.contracts.spec import Bounds, SandboxSpec

from . import memory
from .refill import Refill
from .stock import Rules
from .supply import Supply

_log = logging.getLogger(__name__)
_TRIES = 2
"""Ready boxes tried for one claim: when those died, all may have, with what they stood on."""


class ParkingEngine(Engine, Parking, Protocol):
    """An engine that can make boxes ahead."""


class Pool:
    """An Engine over *engine*, which is closed with it. For one event loop.

    Boxes are made ahead from the first `warm`, or the first box that is asked for.
    """

    def __init__(
        self,
        engine: ParkingEngine,
        rules: Rules | None = None,
        remaining: Callable[[], memory.Memory | None] = memory.read,
    ) -> None:
        """Bounded by *rules*; *remaining* tells what memory the host has left."""
        self.name, self.isolation = engine.name, engine.isolation
        self._engine = engine
        # A caller may ask for any bounds: only boxes with those of the specs it is warmed for are made ahead.
        self._blanks: set[Bounds] = set()
        self._refill = Refill(engine.name, engine, rules or Rules(), remaining)

    def warm(self, specs: Iterable[SandboxSpec]) -> None:
        """Begin to fill the stocks that boxes for *specs* come from; they are kept filled from now on.

        Those with blank workspaces of the same bounds begin to be filled when one is asked for.
        """
        for spec in specs:
            try:
                name = self._engine.stock(spec)
            except SandlotError as error:
                _log.warning("no boxes of %s are made ahead: %s", self.name, error.message)
                continue
            if name is not None:
                self._blanks.update(_blank(spec), [Bounds.of(spec.limits)])
                self._refill.keep(name)

    async def probe(self) -> Viability:
        return await self._engine.probe()

    async def create(self, spec: SandboxSpec) -> Box:
        """As Engine.create. Raises PoolExhausted when no box can be had in time."""
        for _ in range(_TRIES):
            name = self._stock(spec)
            if name is None:
                return await self._engine.create(spec)
            parked = await self._refill.next(name)
            try:
                return await self._claimed(parked, spec)
            except StartFailed:
                self._refill.shelf(name).dead += 1
        last = self._engine.stock(_for_its_own(spec))
        if last is None:
            return await self._engine.create(spec)
        return await self._claimed(await self._refill.next(last, is_fresh=True), spec)

    async def sweep(self) -> int:
        return await self._engine.sweep()

    async def close(self) -> None:
        try:
            await self._refill.close()
        finally:
            await self._engine.close()

    def supplies(self) -> tuple[Supply, ...]:
        """The numbers of every stock."""
        return tuple(shelf.supply(self.name) for shelf in self._refill)

    def _stock(self, spec: SandboxSpec) -> str | None:
        """The stock to take a box for *spec* from: one with blank workspaces while it has some ready."""
        if not self._blanks.intersection(_blank(spec)):
            return self._engine.stock(_for_its_own(spec))
        name = self._engine.stock(spec)
        shelf = None if name is None else self._refill.shelf(name)
        if shelf is not None and shelf.ready:
            return name
        # Mounting the workspace in a box that is ready takes less time than to make a box and mount it there.
        plain = self._engine.stock(_for_its_own(spec))
        if shelf is not None and name != plain:
            shelf.asked, shelf.misses = asyncio.get_running_loop().time(), shelf.misses + 1
        return plain

    async def _claimed(self, parked: Parked, spec: SandboxSpec) -> Box:
        try:
            return await self._engine.claim(parked, spec)
        except BaseException:
            self._refill.discard(parked)
            raise


def _blank(spec: SandboxSpec) -> tuple[Bounds, ...]:
    """The bounds of the blank workspace of *spec*, where it has one."""
    return () if spec.workspace is None or spec.workspace.blank is None else (spec.workspace.blank,)


def _for_its_own(spec: SandboxSpec) -> SandboxSpec:
    """*spec*, content with no other workspace than the one it names."""
    return spec if spec.workspace is None else replace(spec, workspace=replace(spec.workspace, blank=None))
