"""Shelf: the ready boxes of one stock, those who wait for one, and the counts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sandlot.contracts.engine import Parked

from .stock import Stock
from .supply import Supply

_MOST_REST = 30.0


@dataclass(slots=True, eq=False)
class Ready:
    """A box on a shelf, there since a time of the loop's clock."""

    parked: Parked
    since: float


class Shelf:
    """One stock of one pool. A box on it is taken once; when it dies here, *lost* is called with it."""

    def __init__(self, name: str, asked: float, lost: Callable[[Parked], None]) -> None:
        """An empty one, first asked for at *asked*."""
        self.name, self.asked = name, asked
        self.is_kept = False
        self.starting = 0
        self.hits = self.misses = self.refused = self.refills = self.retired = self.dead = 0
        self.failed = 0
        self.wait_seconds = self.refill_seconds = 0.0
        self._lost = lost
        self._ready: deque[Ready] = deque()
        self._queue: deque[asyncio.Future[Parked]] = deque()
        self._failures = 0
        self._rests_until = 0.0

    @property
    def ready(self) -> int:
        """How many boxes can be taken."""
        return len(self._ready)

    @property
    def waiting(self) -> int:
        """How many claims wait."""
        return len(self._queue)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing here and nothing to come."""
        return not (self._ready or self._queue or self.starting)

    def stock(self) -> Stock:
        """What it is now."""
        return Stock(
            ready=len(self._ready),
            starting=self.starting,
            waiting=len(self._queue),
            asked=self.asked,
            oldest=self._ready[0].since if self._ready else None,
            is_kept=self.is_kept,
            is_proven=self.refills > 0,
            rests_until=self._rests_until,
        )

    def supply(self, engine: str) -> Supply:
        """Its numbers, as a stock of *engine*."""
        return Supply(
            engine=engine,
            stock=self.name,
            ready=len(self._ready),
            starting=self.starting,
            waiting=len(self._queue),
            hits=self.hits,
            misses=self.misses,
            wait_seconds=self.wait_seconds,
            refused=self.refused,
            refills=self.refills,
            refill_seconds=self.refill_seconds,
            failed=self.failed,
            retired=self.retired,
            dead=self.dead,
        )

    def take(self) -> Ready | None:
        """The oldest ready box, which is nobody else's from now on; None when there is none."""
        while self._ready:
            found = self._ready.popleft()
            if not found.parked.is_gone:
                return found
            self._bury(found)  # nobody was told yet
        return None

    def put(self, parked: Parked, now: float) -> None:
        """Give *parked* to who waits longest, else keep it ready."""
        if self._queue:
            self._queue.popleft().set_result(parked)
            return
        ready = Ready(parked, now)
        self._ready.append(ready)
        parked.when_gone(lambda: self._gone(ready))

    def made(self, seconds: float) -> None:
        """A box was made in *seconds*."""
        self.refills += 1
        self.refill_seconds += seconds
        self._failures, self._rests_until = 0, 0.0

    def could_not_make(self, error: BaseException, now: float) -> bool:
        """A box could not be made; whether somebody who waited is told so."""
        self.failed += 1
        self._rests_until = now + min(_MOST_REST, 2.0**self._failures)
        self._failures += 1
        if not self._queue:
            return False
        self._queue.popleft().set_exception(error)
        return True

    def wait(self, *, is_first: bool) -> asyncio.Future[Parked]:
        """A place in the queue for a box, the first one or the last."""
        turn: asyncio.Future[Parked] = asyncio.get_running_loop().create_future()
        if is_first:
            self._queue.appendleft(turn)
        else:
            self._queue.append(turn)
        return turn

    def is_served(self, turn: asyncio.Future[Parked]) -> bool:
        """Whether a box is being made for who has *turn*."""
        return self._queue.index(turn) < self.starting

    def leave(self, turn: asyncio.Future[Parked]) -> Parked | None:
        """Give up *turn*; the box that came with it, which is for others."""
        if not turn.done():
            self._queue.remove(turn)
            return None
        return turn.result() if turn.exception() is None else None

    def close(self, error: Callable[[], BaseException]) -> None:
        """Send everybody away who waits."""
        while self._queue:
            self._queue.popleft().set_exception(error())

    def _gone(self, ready: Ready) -> None:
        if ready in self._ready:
            self._ready.remove(ready)
            self._bury(ready)

    def _bury(self, ready: Ready) -> None:
        self.dead += 1
        self._lost(ready.parked)
