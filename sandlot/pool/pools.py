"""Pools: the pools of one service, whichever of its engines can park boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sandlot.contracts.engine import Engine
from sandlot.contracts.spec import SandboxSpec

from .pool import ParkingEngine, Pool
from .stock import Rules
from .supply import Supply


class Pools:
    """One pool for each engine it was given."""

    def __init__(self, rules: Rules, kept: Sequence[SandboxSpec] = ()) -> None:
        """Bounded by *rules*, each; boxes for the specs *kept* are made ahead from `warm` on."""
        self._rules, self._kept = rules, tuple(kept)
        self._pools: list[Pool] = []
        self._is_warm = False

    def over(self, engine: Engine) -> Engine:
        """A pool over *engine*, which must implement Parking too (`registry.Offer.parks` tells)."""
        pool = Pool(cast("ParkingEngine", engine), self._rules)
        self._pools.append(pool)
        if self._is_warm:
            pool.warm(self._kept)
        return pool

    def warm(self) -> None:
        """Begin to make boxes ahead; engines that are made later do so too."""
        self._is_warm = True
        for pool in self._pools:
            pool.warm(self._kept)

    def supplies(self) -> tuple[Supply, ...]:
        """The numbers of every stock of every engine."""
        return tuple(supply for pool in self._pools for supply in pool.supplies())
