"""One run of the bench: every benchmark beside its baselines, round by round, on one machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sandlot.contracts.errors import EngineUnavailable, Unsupported

from . import baselines
from .benchmark import Benchmark, Series, Stage, Wrong
from .summary import Round, interleaved

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured. `count` replaces every benchmark's own number of samples per round."""

    rounds: int = 5
    count: int | None = None
    is_quick: bool = False

    def count_for(self, benchmark: Benchmark) -> int:
        """Samples per series and round."""
        return self.count or (benchmark.quick_count if self.is_quick else benchmark.count)

    @property
    def warm_up(self) -> int:
        """Samples of each series that are taken first and not counted."""
        return 1 if self.is_quick else 3


@dataclass(frozen=True, slots=True)
class Measured:
    """One benchmark's rounds by series, those of its baselines apart, or why it was skipped."""

    benchmark: Benchmark
    count: int
    series: dict[str, tuple[Round, ...]]
    baselines: dict[str, tuple[Round, ...]]
    skipped: str | None = None


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
            async with benchmark.opened(place) as subjects:
                beside = baselines.series(benchmark.baselines, place.scratch)
                taken = await _rounds(benchmark.name, (*subjects, *beside), effort, count, progress)
    except (EngineUnavailable, Unsupported, Wrong) as cause:
        progress(f"{benchmark.name}: skipped: {cause}")
        return Measured(benchmark, count, {}, {}, str(cause))
    names = {each.name for each in beside}
    return Measured(
        benchmark,
        count,
        {name: rounds for name, rounds in taken.items() if name not in names},
        {name: rounds for name, rounds in taken.items() if name in names},
    )


async def _rounds(
    name: str, series: Sequence[Series], effort: Effort, count: int, progress: Progress
) -> dict[str, tuple[Round, ...]]:
    progress(f"{name}: warming up")
    for each in series:
        await each.block(min(effort.warm_up, count))
    taken: dict[str, list[Round]] = {each.name: [] for each in series}
    for number in range(effort.rounds):
        for each in interleaved(series, number):
            progress(f"{name}: round {number + 1} of {effort.rounds}, {each.name}")
            taken[each.name].append(await each.block(count))
    return {each: tuple(rounds) for each, rounds in taken.items()}
