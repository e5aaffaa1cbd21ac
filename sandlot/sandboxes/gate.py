"""Gate: so many at once, so many waiting, and no owner in another's way."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from typing import Self

from sandlot.contracts.errors import PoolExhausted, QuotaDenied


@dataclass(frozen=True, slots=True)
class Width:
    """How many may be inside and waiting, in all and of one owner; None means as many as in all."""

    inside: int
    waiting: int
    inside_per_owner: int | None = None
    waiting_per_owner: int | None = None

    @classmethod
    def shared(cls, inside: int, waiting: int) -> Self:
        """A width of which no owner gets more than seven eighths: there is always room for others."""
        return cls(inside, waiting, math.ceil(inside * 7 / 8), math.ceil(waiting * 7 / 8))


class Gate:
    """Lets callers in one by one; for one event loop.

    A place that comes free goes to the owner who has the fewest inside, of several to the one who was let
    in longest ago: whoever has a thousand waiting gets no more than whoever has one.
    """

    def __init__(self, what: str, width: Width) -> None:
        """Let *what* (a plural noun, for errors) in as *width* says."""
        self._what, self._width = what, width
        self.inside = 0
        """How many are inside."""
        self._inside: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._turns: dict[str, int] = {}
        self._turn = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    def place(self, owner: str) -> Place:
        """A place inside for the length of an asynchronous block, which `enter` and `leave` enclose."""
        return Place(self, owner)

    async def enter(self, owner: str) -> None:
        """Take a place, waited for in fairness; `leave` gives it back.

        Raises QuotaDenied when *owner* has as many waiting as one owner may, PoolExhausted when all have.
        """
        if self._is_free_for(owner):
            self._let_in(owner)
            return
        self._refuse_when_full(owner)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(owner)  # cancelled in the moment it was let in
            else:
                self._give_up(owner, turn)
            raise

    def _refuse_when_full(self, owner: str) -> None:
        own, width = len(self._waiting.get(owner, ())), self._width
        if self.waiting >= width.waiting:
            raise PoolExhausted(
                f"{self.inside} {self._what} are under way and {self.waiting} wait, "
                "the most allowed: try again later"
            )
        if width.waiting_per_owner is not None and own >= width.waiting_per_owner:
            raise QuotaDenied(f"you have {own} {self._what} waiting, the most allowed: try again later")

    def _is_free_for(self, owner: str) -> bool:
        most = self._width.inside_per_owner
        return self.inside < self._width.inside and (most is None or self._inside.get(owner, 0) < most)

    def _let_in(self, owner: str) -> None:
        self.inside += 1
        self._inside[owner] = self._inside.get(owner, 0) + 1
        self._turn += 1
        self._turns[owner] = self._turn

    def leave(self, owner: str) -> None:
        """Give a place back that *owner* took."""
        self.inside -= 1
        self._inside[owner] -= 1
        if not self._inside[owner]:
            del self._inside[owner]
        if self._waiting:
            self._admit()
        self._forget(owner)

    def _give_up(self, owner: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(owner, deque())
        if turn in queue:  # a place that came free meanwhile may have passed it over already
            queue.remove(turn)
        if not queue:
            self._waiting.pop(owner, None)
        self._forget(owner)

    def _forget(self, owner: str) -> None:
        """Keep nothing of an owner who is neither inside nor waiting."""
        if owner not in self._waiting and owner not in self._inside:
            self._turns.pop(owner, None)

    def _admit(self) -> None:
        """Let in whom there is room for."""
        while (owner := self._next()) is not None:
            turn = self._waiting[owner].popleft()
            if not self._waiting[owner]:
                del self._waiting[owner]
            if not turn.done():
                self._let_in(owner)
                turn.set_result(None)

    def _next(self) -> str | None:
        able = [owner for owner in self._waiting if self._is_free_for(owner)]
        return min(able, key=self._standing, default=None)

    def _standing(self, owner: str) -> tuple[int, int]:
        return self._inside.get(owner, 0), self._turns.get(owner, 0)


class Place:
    """A place in a gate for the length of a block; made by Gate.place."""

    def __init__(self, gate: Gate, owner: str) -> None:
        """Nothing is taken before the block."""
        self._gate, self._owner = gate, owner

    async def __aenter__(self) -> None:
        await self._gate.enter(self._owner)

    async def __aexit__(self, *_how: object) -> None:
        self._gate.leave(self._owner)
