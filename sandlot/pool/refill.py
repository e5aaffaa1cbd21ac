"""Refill: makes boxes ahead, hands them to who waits, and ends those that are not to be claimed any more."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any

from sandlot.contracts.engine import Parked, Parking
from sandlot.contracts.errors import EngineUnavailable, PoolExhausted

from . import stock
from .memory import Memory
from .shelf import Ready, Shelf

_log = logging.getLogger(__name__)
_TICK = 1.0
"""Seconds between looks at age and memory."""


class Refill:
    """The shelves of one engine, kept filled as `stock` says. For one event loop; `close` it there."""

    def __init__(
        self, name: str, engine: Parking, rules: stock.Rules, remaining: Callable[[], Memory | None]
    ) -> None:
        """Of *engine*, called *name*; *remaining* tells the host's memory. Nothing begins yet."""
        self.rules = rules
        self._name, self._engine, self._remaining = name, engine, remaining
        self._shelves: dict[str, Shelf] = {}
        self._claimed = float("-inf")
        self._running: Ready | None = None
        self._is_short = False
        self._is_closed = False
        self._ticking: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._starting: set[asyncio.Task[Parked]] = set()
        self._discarding: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[Shelf]:
        return iter(tuple(self._shelves.values()))

    def shelf(self, name: str) -> Shelf:
        """The shelf of the stock *name*. Raises EngineUnavailable after `close`."""
        if self._is_closed:
            raise self._closed()
        if self._ticking is None:
            self._measure()
            self._ticking = asyncio.ensure_future(self._tick())
        if name not in self._shelves:
            self._shelves[name] = Shelf(name, _now(), self._lost)
        return self._shelves[name]

    def keep(self, name: str) -> None:
        """Begin to fill the stock *name*, and keep it filled also when nobody asks for it."""
        self.shelf(name).is_kept = True
        self.look()

    async def next(self, name: str, *, is_fresh: bool = False) -> Parked:
        """A box of the stock *name*, which is nobody else's from now on: a ready one, else a new one.

        One that *is_fresh* is new in any case, and made before all others. Raises PoolExhausted when too many
        wait already or none is being made in time, else as Parking.park, and as `shelf`.
        """
        shelf = self.shelf(name)
        self._claimed = shelf.asked = _now()
        found = None if is_fresh else shelf.take()
        self._follow(found)
        if found is None:
            return await self._made(shelf, is_first=is_fresh)
        shelf.hits += 1
        if not shelf.ready:
            asyncio.get_running_loop().call_soon(self.look)  # the claim goes first
        else:
            self._look_within(stock.QUIET if shelf.ready < self.rules.low else stock.LONGEST)
        return found.parked

    def discard(self, parked: Parked) -> None:
        """End *parked* unclaimed, in the background."""
        task = asyncio.ensure_future(parked.discard())
        self._discarding.add(task)
        task.add_done_callback(self._discarded)

    def look(self) -> None:
        """Start what is to be started now."""
        self._stop_timer()
        if self._is_closed:
            return
        stocks, moment = self._stocks(), self._moment()
        for name, count in stock.starts(stocks, self.rules, moment).items():
            for _ in range(count):
                self._start(self._shelves[name])
        delay = stock.pause(stocks, self.rules, moment)
        if delay is not None:
            self._look_within(delay)

    async def close(self) -> None:
        """End every box that was not claimed, and refuse who waits for one."""
        self._is_closed = True
        self._follow(None)
        self._stop_timer()
        for shelf in self:
            shelf.close(self._closed)
        ending: list[asyncio.Task[Any]] = [*self._starting]
        ending += [self._ticking] if self._ticking is not None else []
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for shelf in self:
            self._retire(shelf, shelf.ready)
        while self._discarding:
            await asyncio.wait(tuple(self._discarding))

    async def _made(self, shelf: Shelf, *, is_first: bool) -> Parked:
        if stock.is_full(sum(each.waiting for each in self), self.rules):
            raise self._exhausted(shelf)
        began = _now()
        turn = shelf.wait(is_first=is_first)
        self.look()
        try:
            while not turn.done():
                await asyncio.wait((turn,), timeout=self.rules.wait)
                # Once one is being made for it, the engine's own deadline holds.
                if not turn.done() and not shelf.is_served(turn):
                    raise self._exhausted(shelf)
            found = turn.result()
        except BaseException:
            left = shelf.leave(turn)
            if left is not None:
                self._arrived(shelf, left)
            raise
        shelf.misses += 1
        shelf.wait_seconds += _now() - began
        return found

    def _start(self, shelf: Shelf) -> None:
        shelf.starting += 1
        task = asyncio.ensure_future(self._engine.park(shelf.name))
        self._starting.add(task)
        task.add_done_callback(functools.partial(self._started, shelf, _now()))

    def _started(self, shelf: Shelf, began: float, task: asyncio.Task[Parked]) -> None:
        self._starting.discard(task)
        shelf.starting -= 1
        if task.cancelled():
            return
        now, error = _now(), task.exception()
        if error is None:
            shelf.made(now - began)
            self._arrived(shelf, task.result())
        elif not shelf.could_not_make(error, now):
            _log.warning("no box of %s could be made ahead for %s: %s", self._name, shelf.name, error)
        self.look()

    def _arrived(self, shelf: Shelf, parked: Parked) -> None:
        if self._is_closed:
            self.discard(parked)
        else:
            shelf.put(parked, _now())

    def _lost(self, parked: Parked) -> None:
        self.discard(parked)
        self.look()

    def _discarded(self, task: asyncio.Task[None]) -> None:
        self._discarding.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.warning("a box of %s could not be ended: %s", self._name, error)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._measure()
            moment = self._moment()
            for shelf in self:
                now_there = shelf.stock()
                self._retire(shelf, stock.retirements(now_there, self.rules, moment))
                if shelf.is_empty and not stock.is_wanted(now_there, self.rules, moment.now):
                    del self._shelves[shelf.name]
            self.look()

    def _retire(self, shelf: Shelf, count: int) -> None:
        for _ in range(count):
            old = shelf.take()
            if old is not None:
                shelf.retired += 1
                self.discard(old.parked)

    def _follow(self, claimed: Ready | None) -> None:
        """Wait for the end of the box that was *claimed* last, and of no other."""
        self._running = claimed
        if claimed is not None:
            claimed.parked.when_gone(lambda: self._over(claimed))

    def _over(self, gone: Ready) -> None:
        if gone is self._running:
            self._running = None
            self.look()

    def _measure(self) -> None:
        was, self._is_short = self._is_short, stock.is_short(self._remaining(), self._is_short)
        if was != self._is_short:
            _log.warning("memory is %s: boxes are %s", *_SAID[self._is_short])

    def _look_within(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is None or self._timer.when() > loop.time() + delay:
            self._stop_timer()
            self._timer = loop.call_later(delay, self.look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stocks(self) -> dict[str, stock.Stock]:
        return {name: shelf.stock() for name, shelf in self._shelves.items()}

    def _moment(self) -> stock.Moment:
        return stock.Moment(_now(), self._claimed, self._is_short, self._running is not None)

    def _exhausted(self, shelf: Shelf) -> PoolExhausted:
        shelf.refused += 1
        return PoolExhausted(
            f"no box of {self._name} came free for {shelf.name} and {shelf.waiting} wait: try again later"
        )

    def _closed(self) -> EngineUnavailable:
        return EngineUnavailable(f"engine {self._name} was closed: make a new one")


_SAID = {True: ("short", "not made ahead"), False: ("there again", "made ahead")}


def _now() -> float:
    return asyncio.get_running_loop().time()
