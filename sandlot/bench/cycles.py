"""Sandboxes that are made, used and ended one after the other, and what is left of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from . import census, one_shot, talk
from .benchmark import FAILURES, Series, Stage, elapsed, told
from .census import Counts
from .summary import Round
from .talk import Calls

_WARM_UP = 50
_WARM_UP_QUICK = 3
_TOLD_EVERY = 500


@asynccontextmanager
async def repeated(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """Create, exec, delete; the counters are read before the first and after the last."""
    server = stage.own_server
    calls = Calls(stage.entrance)

    async def block(count: int) -> Round:
        with one_shot.line(stage.entrance) as connection:
            # What the first sandboxes leave behind for the others (caches, a pool, a connection) is no leak.
            for _ in range(_WARM_UP_QUICK if stage.is_quick else _WARM_UP):
                talk.spoken(connection, talk.life(calls))
            before = await census.settled(server, stage.place)
            times, errors = [], []
            for number in range(1, count + 1):
                begun = time.perf_counter()
                try:
                    talk.spoken(connection, talk.life(calls))
                    times.append(elapsed(begun))
                except FAILURES as error:
                    errors.append(told(error))
                if not number % _TOLD_EVERY:
                    stage.progress(f"cycles: {number} of {count}")
            after = await census.settled(server, stage.place, at_most=before)
        return Round(tuple(times), tuple(errors), leaks(before, after))

    yield (Series("cycles", block),)


def leaks(before: Counts, after: Counts) -> dict[str, float]:
    """Each counter before and after, and how much of it is left over, by the names that goals use."""
    found: dict[str, float] = {}
    for name, left in after.above(before).items():
        found[f"{name}Before"] = float(asdict(before)[name])
        found[f"{name}After"] = float(asdict(after)[name])
        found[f"{name}Leaked"] = float(left)
    return found
