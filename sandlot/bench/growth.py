"""How the cost of a sandbox's life grows with the number of sandboxes that live beside it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from typing import Any

from . import idle, one_shot, talk
from .benchmark import FAILURES, Series, Stage, Wrong, told
from .crowd import Crowd
from .summary import Round, percentile
from .talk import Calls, Life

LEVELS = (10, 30, 100, 300, 1000)
_QUICK_LEVELS = (2, 4)
VERBS = ("create", "execute", "delete")
_AT_ONCE = 8
_POINT = re.compile(r"(\w+)MsAt(\d+)")


@asynccontextmanager
async def curve(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """Create, exec and delete of one sandbox more, beside 10 to 1,000 that live."""
    levels = _QUICK_LEVELS if stage.is_quick else LEVELS

    async def block(count: int) -> Round:
        names: list[str] = []
        lives: dict[int, list[Life]] = {}
        errors: list[str] = []
        try:
            for level in levels:
                stage.progress(f"growth: {level} sandboxes")
                await _filled_up(stage, names, level)
                lives[level] = _lives(stage, count, errors)
        finally:
            await idle.emptied(stage, names)
        times = tuple(each.create + each.execute + each.delete for found in lives.values() for each in found)
        return Round(times, tuple(errors), figures(lives))

    yield (Series("growth", block),)


def figures(lives: Mapping[int, Sequence[Life]]) -> dict[str, float]:
    """The p50 of each verb at each level, and how much each grows from the least level to the greatest."""
    found: dict[str, float] = {}
    for verb in VERBS:
        curve = {
            level: percentile((getattr(each, verb) for each in taken), 50)
            for level, taken in lives.items()
            if taken
        }
        found |= {f"{verb}MsAt{level}": value for level, value in curve.items()}
        if len(curve) > 1:
            found[f"{verb}Growth"] = growth(curve)
    return found


def growth(curve: Mapping[int, float]) -> float:
    """The cost at the greatest level over that at the least, along the straight line nearest to the points.

    A line and not the two ends: what the points in between say counts, and one disturbed point does not
    decide.  Where the line has no positive cost at the least level, the points themselves are compared.
    """
    levels = sorted(curve)
    slope, base = fitted(levels, [curve[level] for level in levels])
    low, high = base + slope * levels[0], base + slope * levels[-1]
    return high / low if low > 0 else curve[levels[-1]] / curve[levels[0]]


def fitted(places: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Slope and base of the straight line with the least squares. Raises ValueError without two places."""
    if len(set(places)) < 2:
        raise ValueError(f"no line through {len(places)} points at {len(set(places))} places")
    middle, mean = sum(places) / len(places), sum(values) / len(values)
    spread = sum((place - middle) ** 2 for place in places)
    slope = (
        sum((place - middle) * (value - mean) for place, value in zip(places, values, strict=True)) / spread
    )
    return slope, mean - slope * middle


def points(figures: Mapping[str, float]) -> dict[str, dict[int, float]]:
    """The curve of each verb, read back from a result's figures."""
    found: dict[str, dict[int, float]] = {}
    for name, value in figures.items():
        if point := _POINT.fullmatch(name):
            found.setdefault(point[1], {})[int(point[2])] = value
    return {verb: dict(sorted(curve.items())) for verb, curve in found.items()}


async def _filled_up(stage: Stage, names: list[str], level: int) -> None:
    """Create sandboxes until *level* of them live. Raises Wrong when the server has no room for them."""
    calls, refused = Calls(stage.entrance), []
    wanted = [talk.new_name() for _ in range(level - len(names))]

    def heard(number: int, outcome: Any) -> None:
        if isinstance(outcome, BaseException):
            refused.append(told(outcome))
        else:
            names.append(wanted[number])

    with closing(Crowd(stage.entrance)) as crowd:
        visits = ((0.0, lambda _due, name=name: talk.created(calls, name)) for name in wanted)
        await crowd.held(visits, heard, most=_AT_ONCE)
    if refused:
        raise Wrong(f"{len(names)} sandboxes of {level} could be made: {refused[0]}")


def _lives(stage: Stage, count: int, errors: list[str]) -> list[Life]:
    calls, found = Calls(stage.entrance), []
    with one_shot.line(stage.entrance) as connection:
        for _ in range(count):
            try:
                found.append(talk.spoken(connection, talk.life(calls)))
            except FAILURES as error:
                errors.append(told(error))
    return found
