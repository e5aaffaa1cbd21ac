"""Several engines as one: when one cannot make a box, the next of the same level or higher is asked.

Before the first command only, because a box is made before it; on Unavailable only, because any other error
is the caller's or the program's; and shown, in `Box.failover` and so in the Result. PoolExhausted is told
too: who is busy has not failed, and dearer boxes of another engine would take what it lacks.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sandlot.contracts.capability import Feature, Viability
from sandlot.contracts.engine import Box, Engine
from sandlot.contracts.errors import EngineUnavailable, PoolExhausted, SandlotError, Unavailable
from sandlot.contracts.spec import Isolation, SandboxSpec

from . import registry
from .latest import Latest

MOST_FAILURES = 3
"""Boxes in a row an engine may fail to make before others are asked first."""

REST = 30.0
"""Seconds for which they are."""

Pooled = Callable[[Engine], Engine]
"""An engine over one that is Parking too."""


@dataclass(slots=True)
class _Member:
    """One engine, made when first needed, and its luck."""

    isolation: Isolation
    make: Callable[[], Engine]
    lacks: Feature = Feature.NOTHING
    engine: Engine | None = None
    failures: int = 0
    rests_until: float = 0.0

    def is_resting(self, now: float) -> bool:
        return now < self.rests_until

    def failed(self, now: float) -> None:
        self.failures += 1
        if self.failures >= MOST_FAILURES:
            self.failures, self.rests_until = 0, now + REST

    def served(self) -> None:
        self.failures, self.rests_until = 0, 0.0


class FailoverEngine:
    """An Engine over others; which of them may serve a spec is `registry.ranking`'s to say."""

    name = "failover"
    isolation = Isolation.PROCESS

    def __init__(
        self,
        makers: Mapping[str, tuple[Isolation, Callable[[], Engine]]],
        lacks: Mapping[str, Feature] | None = None,
        late: Collection[str] = (),
    ) -> None:
        """Over the engines of *makers*: by name, the isolation each reaches and how it is made.

        *lacks* are what some of them never offer: a spec that asks for it is not theirs, unless it names one.
        Those of *late* come after the others.
        """
        without = lacks or {}
        self._late = frozenset(late)
        self._members = {
            name: _Member(level, make, without.get(name, Feature.NOTHING))
            for name, (level, make) in makers.items()
        }
        self._ranked = Latest(self._ranking)

    @classmethod
    def installed(cls, pooled: Pooled | None = None, *, is_brief: bool = False) -> FailoverEngine:
        """Over every installed engine that can be loaded; they are made when first needed.

        One that parks boxes is given to *pooled* then, whose engine takes its place. For a *brief* use, a
        single box, such an engine comes last: what it does ahead would be done for nothing.
        """
        offers = registry.offers()
        makers = {
            offer.name: (offer.isolation, _maker(offer.make, pooled if offer.parks else None))
            for offer in offers
            if offer.make is not None and offer.isolation is not None
        }
        late = [offer.name for offer in offers if is_brief and offer.parks]
        return cls(makers, {offer.name: offer.lacks for offer in offers}, late)

    def prepare(self, spec: SandboxSpec) -> None:
        """Make the engine that would be asked first for *spec*; no box yet. Raises as `registry.ranking`."""
        self._engine(self._order(spec)[0])

    async def probe(self) -> Viability:
        """What the engine that serves by default proves; the first one's failure when none works."""
        first: Viability | None = None
        for name in registry.ranking(SandboxSpec(), self._levels):
            found = await self._engine(name).probe()
            if found.works:
                return found
            first = first or found
        return first or Viability(self.name, self.isolation, (), Feature.NOTHING, cause="there is no engine")

    async def create(self, spec: SandboxSpec) -> Box:
        """As Engine.create. Raises the error of the only engine, or EngineUnavailable with every cause."""
        tried: list[tuple[str, Unavailable]] = []
        for name in self._order(spec):
            try:
                box = await self._engine(name).create(spec)
            except PoolExhausted:
                raise
            except Unavailable as error:
                self._members[name].failed(_now())
                tried.append((name, error))
                continue
            self._members[name].served()
            box.failover = tuple(f"{other}: {error.message}" for other, error in tried)
            return box
        if len(tried) == 1:
            raise tried[0][1]
        causes = "; ".join(f"{name}: {error.message}" for name, error in tried)
        raise EngineUnavailable(f"no engine could make the box: {causes}")

    async def sweep(self) -> int:
        return sum([await engine.sweep() for engine in self._made()])

    async def close(self) -> None:
        endings = await asyncio.gather(*(engine.close() for engine in self._made()), return_exceptions=True)
        for ending in endings:
            if isinstance(ending, SandlotError):
                raise ending

    @property
    def _levels(self) -> dict[str, Isolation]:
        return {name: member.isolation for name, member in self._members.items()}

    def _order(self, spec: SandboxSpec) -> list[str]:
        names, now = self._ranked(spec), _now()
        resting = [name for name in names if self._members[name].is_resting(now)]
        return [name for name in names if name not in resting] + resting if resting else names

    def _ranking(self, spec: SandboxSpec) -> list[str]:
        ranked = registry.ranking(spec, self._levels)
        able = [name for name in ranked if registry.suffices(spec, self._members[name].lacks)]
        names = [spec.engine, *able] if spec.engine in ranked and spec.engine not in able else able or ranked
        is_late = self._late - {spec.engine}
        return sorted(names, key=lambda name: name in is_late)

    def _engine(self, name: str) -> Engine:
        member = self._members[name]
        if member.engine is None:
            member.engine = member.make()
        return member.engine

    def _made(self) -> list[Engine]:
        return [member.engine for member in self._members.values() if member.engine is not None]


def _maker(make: Callable[[], Engine], pooled: Pooled | None) -> Callable[[], Engine]:
    return make if pooled is None else functools.partial(_pooled, make, pooled)


def _pooled(make: Callable[[], Engine], pooled: Pooled) -> Engine:
    return pooled(make())


def _now() -> float:
    return asyncio.get_running_loop().time()
