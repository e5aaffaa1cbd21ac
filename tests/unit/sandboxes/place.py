"""A service of sandboxes over parts in memory, for as long as a scene lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sandlot.sandboxes.house import House
from sandlot.sandboxes.registry import MemoryRegistry
from sandlot.sandboxes.sandboxes import Sandboxes
from tests.unit.local.memory import MemoryEngine
from tests.unit.sandboxes.house import Clock, MemoryStore

ME = "local"


class Place:
    """A service on parts that a test can look at; `again` is the next service on the same parts."""

    def __init__(self, house: House | None = None) -> None:
        self.clock = Clock()
        self.registry = MemoryRegistry()
        self.store = MemoryStore()
        self.house = house or House()
        self.engine = MemoryEngine(store=self.store)
        self.all = self.again()

    def again(self) -> Sandboxes:
        self.engine = MemoryEngine(store=self.store)
        self.all = Sandboxes(self.engine, self.registry, self.store, self.house, self.clock)
        return self.all


def play(scene: Callable[[Place], Awaitable[None]], house: House | None = None) -> Place:
    async def work() -> Place:
        place = Place(house)
        await place.all.open()
        await scene(place)
        await place.all.close()
        assert place.engine.living == []
        return place

    return asyncio.run(work())
