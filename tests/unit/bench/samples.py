"""Series whose numbers are known, and documents made of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandlot.bench import report, session
from sandlot.bench.benchmark import Benchmark, Series, Stage
from sandlot.bench.machine import Machine
from sandlot.bench.session import Effort, Measured
from sandlot.bench.summary import Launch, Round
from sandlot.bench.target import Facts

AROUND = report.Circumstances(
    begun="2026-01-02T03:04:05Z",
    ended="2026-01-02T03:14:05Z",
    machine=Machine(2, 24 * 2**30, "x86_64", "Linux 6.1", "CPython 3.11.2"),
    load_before=(0.1, 0.2, 0.3),
    load_after=(1.1, 1.2, 1.3),
    target="private server",
    facts=Facts("bubblewrap", "namespace", ("namespaces", "seccomp"), ("zygote: no user namespaces",)),
)


def series(name: str, taken: list[tuple[str, int]], *times: float) -> Series:
    """A series that notes each block in *taken* and gives every sample the same times, block by block."""
    following = itertools.cycle(times)

    async def block(count: int) -> Round:
        taken.append((name, count))
        return Round((next(following),) * count)

    return Series(name, block)


def benchmark(*each: Series, name: str = "made-up", baselines: tuple[str, ...] = ()) -> Benchmark:
    """A benchmark of these series, with two samples a round."""

    @asynccontextmanager
    async def opened(_stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
        yield each

    return Benchmark(name, "nothing", opened, baselines, count=2, needs_server=False)


def measured(chosen: Iterable[Benchmark], effort: Effort, scratch: Path) -> list[Measured]:
    """What a session finds."""
    return asyncio.run(session.measured(tuple(chosen), Stage(scratch), effort, lambda _text: None))


def document(*, quick: bool = False) -> dict[str, Any]:
    """A document of known numbers: a series four times as slow as its baseline, a failure, a skip, a TTI."""
    burst = Round(
        times=(40.0, 60.0),
        errors=("timed_out: late",),
        figures={"wallClockMs": 60.0, "createMs": 30.0, "destroyMs": 5.0},
        launches=(Launch(0.0, 40.0), Launch(0.0, 60.0), Launch(0.0, None, "timed_out: late")),
    )
    found = [
        Measured(
            benchmark(name="one-shot"),
            2,
            {"spaced": (Round((4.0, 4.4)), Round((4.0, 4.8)))},
            {"python": (Round((10.0, 11.0)), Round((10.0, 12.0)))},
        ),
        Measured(benchmark(name="tti"), 3, {"burst": (burst,)}, {}),
        Measured(benchmark(name="burst"), 3, {"burst": (replace(burst, launches=()),)}, {}),
        Measured(benchmark(name="exec"), 2, {}, {}, "no | engine\nworks here"),
        Measured(benchmark(name="pool-empty"), 2, {}, {}, "no pool", is_built=False),
    ]
    return report.document(found, Effort(rounds=2, is_quick=quick), AROUND)
