"""Which commands and cells are streamed, by owner, place and number: what resume and kill are asked of."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from sandlot.contracts.errors import NotFound, PoolExhausted, QuotaDenied

from .manners import Manner
from .runs import Run

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept."""

    runs: int = 1024
    """How many there are, those included that have ended and are remembered."""
    of_an_owner: int = 256
    """How many of one owner run."""
    ended_bytes: int = 64 * 2**20
    """Events of all that have ended; those that run are bounded by their number."""
    seconds: float = 60.0
    """How long one that has ended can be asked about."""


class Key(NamedTuple):
    """What names a run: another owner's is not found by it."""

    owner: str
    sandbox: str
    number: str


def new_key(owner: str, sandbox: str) -> Key:
    """A name nobody can guess."""
    return Key(owner, sandbox, secrets.token_hex(16))


class Runs(Generic[Item]):
    """What one server streams in one manner, bounded in number and in bytes."""

    def __init__(self, manner: Manner[Item], bounds: Bounds | None = None) -> None:
        """Nothing runs."""
        self.manner, self._what = manner, manner.what
        self._bounds = bounds or Bounds()
        self._runs: dict[Key, Run[Item]] = {}  # in the order of their beginning

    def admit(self, owner: str) -> None:
        """Make room for one more. Raises QuotaDenied, PoolExhausted when so many run at once."""
        bounds = self._bounds
        while len(self._runs) >= bounds.runs and self._forget_oldest():
            continue
        own = sum(not run.is_over for key, run in self._runs.items() if key.owner == owner)
        if own >= bounds.of_an_owner:
            raise QuotaDenied(f"{own} streamed {self._what}s of yours run already: wait for some to end")
        if len(self._runs) >= bounds.runs:
            raise PoolExhausted(f"the server streams {bounds.runs} {self._what}s already: try again")

    def add(self, key: Key, run: Run[Item]) -> None:
        """Remember *run*, and a while longer than it lasts."""
        self._runs[key] = run
        run.when_over(lambda: self._ended(key))

    def find(self, key: Key) -> Run[Item]:
        """The run called *key*. Raises NotFound."""
        run = self._runs.get(key)
        if run is None:
            raise NotFound(f"there is no streamed {self._what} {key.number!r} in this sandbox, or no longer")
        return run

    def _ended(self, key: Key) -> None:
        asyncio.get_running_loop().call_later(self._bounds.seconds, self._runs.pop, key, None)
        while self._ended_bytes() > self._bounds.ended_bytes and self._forget_oldest():
            continue

    def _ended_bytes(self) -> int:
        return sum(run.size for run in self._runs.values() if run.is_over)

    def _forget_oldest(self) -> bool:
        """Forget the one that began first among those that have ended; whether there was one."""
        oldest = next((key for key, run in self._runs.items() if run.is_over), None)
        if oldest is not None:
            del self._runs[oldest]
        return oldest is not None
