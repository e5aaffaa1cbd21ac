"""A long time at a part of what the server can do: is it still as fast, as large and as right?"""

from __future__ import annotations

import time
from array import array
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any

from . import census, cycles, one_shot, talk, throughput
from .benchmark import Series, Stage, Wrong, told
from .census import Counts
from .crowd import Crowd, Visit
from .summary import Round, percentile
from .talk import Calls

_MOST = 64
"""Requests under way at once; one that is due beyond them waits, and its wait counts."""
_PROBE = 400
_PROBE_QUICK = 8
_WARM_UP = 0.1
"""The part of the time that passes before the first reading: caches and pools fill."""
_TOLD_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters, and resident bytes by process of the server's tree, the server first."""

    counts: Counts
    resident: dict[int, int]


@asynccontextmanager
async def soaked(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """One-shots at a fixed rate, whether or not the ones before them have been answered."""
    server = stage.own_server
    request = Calls(stage.entrance).run(one_shot.PRINT)
    seconds = min(stage.extents.seconds, 1.0) if stage.is_quick else stage.extents.seconds

    async def block(_count: int) -> Round:
        rate = stage.extents.load * await _capacity(stage, request)
        stage.progress(f"soak: {rate:.1f} one-shots per second for {seconds:.0f} s")
        first = await _taken(stage, request, rate, seconds * _WARM_UP)
        before = await _read(server, stage)
        main = await _taken(stage, request, rate, seconds * (1 - _WARM_UP))
        after = await _read(server, stage, before.counts)
        figures = {
            "perSecond": rate,
            **drift(before, after),
            **lateness(main.times),
            **cycles.leaks(before.counts, after.counts),
        }
        return Round(first.times + main.times, first.errors + main.errors, figures)

    yield (Series("soak", block),)


async def _capacity(stage: Stage, request: bytes) -> float:
    """One-shots per second of a closed loop. Raises Wrong when none succeeds."""
    stage.progress("soak: measuring what the server can do")
    count = _PROBE_QUICK if stage.is_quick else _PROBE
    with closing(Crowd(stage.entrance)) as crowd:
        begun = time.perf_counter()
        taken = await throughput.outcomes(crowd, lambda: talk.one_shot(request, one_shot.PRINTED), count)
    if not taken.times:
        raise Wrong(f"no one-shot succeeded: {taken.errors[0]}")
    return len(taken.times) / (time.perf_counter() - begun)


async def _taken(stage: Stage, request: bytes, rate: float, seconds: float) -> Round:
    times = array("d")
    errors: list[str] = []
    following = time.monotonic() + _TOLD_EVERY

    def heard(number: int, outcome: Any) -> None:
        nonlocal following
        if isinstance(outcome, BaseException):
            errors.append(told(outcome))
        else:
            times.append(outcome)
        if time.monotonic() > following:
            stage.progress(f"soak: {number} one-shots, {len(errors)} failed")
            following += _TOLD_EVERY

    # Hung up before the counters are read: an idle connection is a descriptor of the server's.
    with closing(Crowd(stage.entrance)) as crowd:
        await crowd.held(schedule(request, rate, seconds), heard, most=_MOST)
    return Round(tuple(times), tuple(errors))


def schedule(request: bytes, rate: float, seconds: float) -> Iterator[Visit]:
    """A one-shot every 1/*rate* seconds for *seconds*, at least one; its time counts from when it was due."""
    for number in range(max(1, round(rate * seconds))):
        yield number / rate, lambda due: talk.one_shot(request, one_shot.PRINTED, due)


async def _read(server: int, stage: Stage, at_most: Counts | None = None) -> Reading:
    counts = await census.settled(server, stage.place, at_most=at_most)
    return Reading(counts, {process: census.resident(process) for process in census.tree(server)})


def drift(before: Reading, after: Reading) -> dict[str, float]:
    """How much the server, and the helpers that lived through it all, have grown, in percent.

    Whatever lives at both readings and is not the server is its helper: keeper, zygote. Boxes do not live
    that long.
    """
    server = next(iter(before.resident))
    helpers = [each for each in before.resident if each != server and after.resident.get(each)]
    return {
        **_grown("server", before, after, [server]),
        **_grown("helpers", before, after, helpers),
    }


def _grown(who: str, before: Reading, after: Reading, processes: Sequence[int]) -> dict[str, float]:
    earlier = sum(before.resident[each] for each in processes)
    later = sum(after.resident.get(each, 0) for each in processes)
    if not earlier:
        return {}
    return {
        f"{who}MiBBefore": earlier / 2**20,
        f"{who}MiBAfter": later / 2**20,
        f"{who}DriftPercent": 100 * (later - earlier) / earlier,
    }


def lateness(times: Sequence[float]) -> dict[str, float]:
    """The p99 of the first tenth of *times*, of the last, and how much the last is above it, in percent."""
    tenth = len(times) // 10
    if not tenth:
        return {}
    early, late = percentile(times[:tenth], 99), percentile(times[-tenth:], 99)
    return {"p99MsEarly": early, "p99MsLate": late, "p99DriftPercent": 100 * (late - early) / early}
