"""TTI: from the call that makes a sandbox to the end of its first command, by ComputeSDK's method.

Created, first command, clock stopped; then, outside the clock, a look for what an earlier sandbox may have
left (a sandbox used twice fails the iteration), then destroyed, timed apart. Nothing is tried again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sandlot.contracts.command import Command
from sandlot.contracts.service import Service
from sandlot.contracts.spec import SandboxSpec

from . import computesdk, live
from .benchmark import FAILURES, Series, Stage, Wrong, elapsed, told
from .summary import Launch, Round, percentile

_ECHO = Command(argv=("/bin/echo", "benchmark"))
_DESTROY_TIMEOUT = 15.0
_QUICK_STAGGER = 0.01
# The same two places as theirs: a reused container often keeps one of them. Both are looked at before either
# is marked, because the one may be a link to the other.
_MARKS = Command.shell(
    "marks='/tmp/.sandlot-bench /var/tmp/.sandlot-bench';"
    ' for mark in $marks; do if [ -e "$mark" ]; then echo "$mark"; fi; done;'
    ' for mark in $marks; do echo used > "$mark"; done'
)


@dataclass(frozen=True, slots=True)
class _Iteration:
    """One sandbox's life in milliseconds: call, creation, first command, destruction."""

    launched: float
    created: float | None = None
    tti: float | None = None
    destroyed: float | None = None
    error: str | None = None


@asynccontextmanager
async def modes(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """One at a time; a new one every 200 ms; all at once."""
    stagger = stagger_of(is_quick=stage.is_quick)
    yield (
        _mode("sequential", stage.live, _one_by_one),
        _mode("staggered", stage.live, lambda begin, count: _together(begin, count, stagger)),
        _mode("burst", stage.live, lambda begin, count: _together(begin, count, 0.0)),
    )


def stagger_of(*, is_quick: bool) -> float:
    """Seconds between two launches of a staggered round."""
    return _QUICK_STAGGER if is_quick else computesdk.STAGGER


_Begin = Callable[[], Coroutine[Any, Any, _Iteration]]


def _mode(
    name: str, service: Service, launch: Callable[[_Begin, int], Awaitable[list[_Iteration]]]
) -> Series:
    async def block(count: int) -> Round:
        begun = time.perf_counter()
        return _round(
            await launch(lambda: _iteration(service, begun), count), overlap=launch is not _one_by_one
        )

    return Series(name, block)


async def _one_by_one(begin: _Begin, count: int) -> list[_Iteration]:
    return [await begin() for _ in range(count)]


async def _together(begin: _Begin, count: int, stagger: float) -> list[_Iteration]:
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[_Iteration]] = []
        for number in range(count):
            if number and stagger:
                await asyncio.sleep(stagger)
            tasks.append(group.create_task(begin()))
    return [task.result() for task in tasks]


async def _iteration(service: Service, begun: float) -> _Iteration:
    name = live.new_name()
    launched = elapsed(begun)
    created: float | None = None
    tti: float | None = None
    error: str | None = None
    start = time.perf_counter()
    try:
        async with asyncio.timeout(computesdk.TIMEOUT):
            await service.ensure(name, SandboxSpec(ttl=live.TTL))
            created = elapsed(start)
            box = await service.reach(name)
            if await live.output(box, _ECHO) != b"benchmark\n":
                raise Wrong("the first command did not say what it should")
            tti = elapsed(start)
            marks = await live.output(box, _MARKS)
            if marks:
                raise Wrong(f"the sandbox was used before: {marks.decode('utf-8', 'replace').strip()}")
    except FAILURES as failure:
        tti, error = None, told(failure)
    return _Iteration(launched, created, tti, await _destroyed(service, name), error)


async def _destroyed(service: Service, name: str) -> float | None:
    """How long the destruction took; None when it failed, which their method does not count."""
    start = time.perf_counter()
    try:
        async with asyncio.timeout(_DESTROY_TIMEOUT):
            await service.delete(name)
    except FAILURES:
        return None
    return elapsed(start)


def _round(iterations: Sequence[_Iteration], *, overlap: bool) -> Round:
    launches = tuple(Launch(each.launched, each.tti, each.error) for each in iterations)
    ready = [each.ready for each in launches if each.ready is not None]
    parts = {
        "createMs": [each.created for each in iterations if each.created is not None],
        "destroyMs": [each.destroyed for each in iterations if each.destroyed is not None],
    }
    figures = {name: percentile(times, 50) for name, times in parts.items() if times}
    if ready and overlap:
        figures["wallClockMs"] = max(ready)
    return Round(
        times=tuple(each.tti for each in launches if each.tti is not None),
        errors=tuple(each.error for each in launches if each.error is not None),
        figures=figures,
        launches=launches,
    )
