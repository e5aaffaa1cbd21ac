"""What sandboxes cost that do nothing: memory of each, and how many fit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

from . import census, one_shot, talk
from .benchmark import FAILURES, Series, Stage, told
from .crowd import Crowd
from .summary import Round, percentile
from .talk import Calls

_MEASURED = 100
_MEASURED_QUICK = 3
_PROMISED = 5000
"""Idle sandboxes of the goal: fewer say nothing about it, unless there was no room for more."""
_TOLD_EVERY = 500
_AT_ONCE = 8
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Weight:
    """Memory before sandboxes came, in bytes: what the machine had left, and what boxes alone held."""

    available: int
    private: int | None


@asynccontextmanager
async def memory(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """What each of a hundred idle sandboxes takes."""
    yield (_filled(stage, "memory", _MEASURED_QUICK if stage.is_quick else _MEASURED),)


@asynccontextmanager
async def density(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """As many idle sandboxes as asked for, or as there is room for."""
    yield (_filled(stage, "density", _MEASURED_QUICK if stage.is_quick else stage.extents.density),)


def _filled(stage: Stage, name: str, asked: int) -> Series:
    server = stage.own_server

    async def block(_count: int) -> Round:
        # A pool that fills itself for the first time would weigh in.
        await census.settled(server, None)
        before = weighed(server)
        names: list[str] = []
        try:
            taken = await _create(stage, names, asked)
            await census.settled(server, None)
            after = weighed(server)
        finally:
            await emptied(stage, names)
        figures = {**weights(before, after, len(names)), **lateness(taken.times)}
        if name == "density":
            figures |= room(len(names), asked)
        return Round(taken.times, taken.errors, figures)

    return Series(name, block)


async def _create(stage: Stage, names: list[str], asked: int) -> Round:
    """Sandboxes one after the other up to *asked*, or to the first that is refused; *names* gets theirs."""
    calls, times = Calls(stage.entrance), []
    with one_shot.line(stage.entrance) as connection:
        for number in range(1, asked + 1):
            name = talk.new_name()
            try:
                times.append(talk.spoken(connection, talk.created(calls, name)))
            except FAILURES as error:
                return Round(tuple(times), (told(error),))
            names.append(name)
            if not number % _TOLD_EVERY:
                stage.progress(f"{number} sandboxes of {asked}")
    return Round(tuple(times))


async def emptied(stage: Stage, names: list[str]) -> None:
    """Delete the sandboxes called *names*; their leases end those that cannot be."""
    calls = Calls(stage.entrance)
    with closing(Crowd(stage.entrance)) as crowd:
        visits = ((0.0, lambda _due, name=name: talk.deleted(calls, name)) for name in names)
        await crowd.held(visits, lambda _number, _outcome: None, most=_AT_ONCE)


def weighed(server: int) -> Weight:
    """What there is now beneath the process *server*."""
    # The server itself is left out: its growth is no box's.
    return Weight(census.available(), census.private(census.tree(server)[1:]))


def weights(before: Weight, after: Weight, count: int) -> dict[str, float]:
    """MiB that each of *count* sandboxes takes: of what the machine has left, and what is theirs alone."""
    if not count:
        return {}
    figures = {"availableMiBEach": (before.available - after.available) / count / _MIB}
    if before.private is not None and after.private is not None:
        figures["privateMiBEach"] = (after.private - before.private) / count / _MIB
    return figures


def lateness(times: tuple[float, ...]) -> dict[str, float]:
    """How much longer the last tenth of the creations took than the first, by their p50."""
    tenth = len(times) // 10
    if not tenth:
        return {}
    return {"createLateOverEarly": percentile(times[-tenth:], 50) / percentile(times[:tenth], 50)}


def room(found: int, asked: int) -> dict[str, float]:
    """How many sandboxes there were at once; `idleSandboxes` only where that is all there is room for.

    Whoever asked for fewer than are promised, and got them, has not shown how many fit.
    """
    figures = {"liveSandboxes": float(found)}
    if found < asked or asked >= _PROMISED:
        figures["idleSandboxes"] = float(found)
    return figures
