"""One run of the bench: every benchmark beside its baselines, round by round, on one machine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sandlot.contracts.errors import EngineUnavailable, Unsupported

from . import baselines
from .baselines import Means
from .benchmark import Benchmark, NotBuilt, Progress, Series, Stage, Wrong
from .summary import Round, interleaved


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured. `count` replaces every benchmark's own number of samples per round."""

    rounds: int = 5
    count: int | None = None
    is_quick: bool = False

    def count_for(self, benchmark: Benchmark) -> int:
        """Samples per series and round."""
        own = benchmark.quick_count if self.is_quick else benchmark.count
        return self.count if self.count and benchmark.is_counted else own

    def rounds_for(self, benchmark: Benchmark) -> int:
        """Rounds of *benchmark*."""
        return min(self.rounds, benchmark.most_rounds or self.rounds)

    @property
    def warm_up(self) -> int:
        """Samples of each series that are taken first and not counted."""
        return 1 if self.is_quick else 3


@dataclass(frozen=True, slots=True)
class Measured:
    """One benchmark's rounds by series, those of its baselines apart, or why it was skipped.

    `is_built` is False for what was skipped because sandlot cannot do it yet, whatever the machine.
    """

    benchmark: Benchmark
    count: int
    series: dict[str, tuple[Round, ...]]
    baselines: dict[str, tuple[Round, ...]]
    skipped: str | None = None
    is_built: bool = True


async def measured(
    chosen: Sequence[Benchmark], stage: Stage, effort: Effort, progress: Progress
) -> list[Measured]:
    """Every benchmark of *chosen* on *stage*, one after the other."""
    return [await _one(benchmark, stage, effort, progress) for benchmark in chosen]


async def _one(benchmark: Benchmark, stage: Stage, effort: Effort, progress: Progress) -> Measured:
    count = effort.count_for(benchmark)
    try:
        with tempfile.TemporaryDirectory(dir=stage.scratch) as scratch:
            place = replace(stage, scratch=Path(scratch))
            means = Means(place.scratch, stage.extents.environment)
            async with benchmark.opened(place) as subjects:
                with baselines.opened(benchmark.baselines, means) as beside:
                    for words in baselines.missing(benchmark.baselines, beside):
                        progress(f"{benchmark.name}: {words}")
                    taken = await _rounds(benchmark, (*subjects, *beside), effort, progress)
    except (EngineUnavailable, Unsupported, Wrong) as cause:
        progress(f"{benchmark.name}: skipped: {cause}")
        return Measured(benchmark, count, {}, {}, str(cause), not isinstance(cause, NotBuilt))
    names = {each.name for each in beside}
    return Measured(
        benchmark,
        count,
        {name: rounds for name, rounds in taken.items() if name not in names},
        {name: rounds for name, rounds in taken.items() if name in names},
    )


async def _rounds(
    benchmark: Benchmark, series: Sequence[Series], effort: Effort, progress: Progress
) -> dict[str, tuple[Round, ...]]:
    count, rounds = effort.count_for(benchmark), effort.rounds_for(benchmark)
    progress(f"{benchmark.name}: warming up")
    for each in series if benchmark.is_warmed else ():
        await each.block(min(effort.warm_up, count))
    taken: dict[str, list[Round]] = {each.name: [] for each in series}
    for number in range(rounds):
        for each in interleaved(series, number):
            progress(f"{benchmark.name}: round {number + 1} of {rounds}, {each.name}")
            taken[each.name].append(await each.block(count))
    return {each: tuple(found) for each, found in taken.items()}
