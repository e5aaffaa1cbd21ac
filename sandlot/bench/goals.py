"""The goals a measurement is held against, and whether it met them (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RATE = "successRate"


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise about a series of a benchmark: a figure is at most *limit*, or at least it.

    *figure* is a percentile (`p50`, `p95`, `p99`, in milliseconds), a named figure of the series, or with
    *baseline* the ratio of the p50s. A *guide* is what a promised ratio means in numbers on a quiet machine
    of two cores: it is told, but only the ratio is promised.
    """

    benchmark: str
    series: str
    figure: str
    limit: float
    baseline: str | None = None
    at_least: bool = False
    guide: bool = False

    @property
    def words(self) -> str:
        """The promise as people write it."""
        sign = ">=" if self.at_least else "<="
        what = self.figure if self.baseline is None else f"{self.figure} / {self.baseline}"
        return f"{what} {sign} {self.limit:g}"

    def holds(self, value: float) -> bool:
        """Whether *value* keeps the promise."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal beside what was found; `met` is None where nothing was found, or nothing comparable."""

    goal: Goal
    value: float | None
    met: bool | None


GOALS = (
    Goal("one-shot", "spaced", "p50", 0.12, "python"),
    Goal("one-shot", "spaced", "p50", 1.1, guide=True),
    Goal("one-shot", "spaced", "p99", 4, guide=True),
    Goal("one-shot", "back-to-back", "p50", 0.17, "python"),
    Goal("one-shot", "back-to-back", "p50", 1.5, guide=True),
    Goal("numpy", "numpy", "p50", 1 / 50, "import-numpy"),
    Goal("numpy", "numpy", "p50", 2.5, guide=True),
    Goal("pandas", "pandas", "p50", 1 / 80, "import-pandas"),
    Goal("pandas", "pandas", "p50", 5, guide=True),
    Goal("pool-empty", "pool-empty", "p50", 0.33, "python"),
    Goal("pool-empty", "pool-empty", "p50", 3, guide=True),
    Goal("exec", "exec", "p50", 2, "true"),
    Goal("exec", "exec", "p50", 1.5, guide=True),
    Goal("tti", "sequential", "p50", 4),
    Goal("tti", "sequential", "p95", 10),
    Goal("tti", "sequential", "p99", 20),
    Goal("burst", "burst", RATE, 1, at_least=True),
    Goal("burst", "burst", "wallClockMs", 300),
    Goal("throughput", "closed-loop", RATE, 1, at_least=True),
    Goal("throughput", "closed-loop", "perSecond", 600, at_least=True),
    Goal("memory", "memory", "privateMiBEach", 1.2),
    Goal("density", "density", "idleSandboxes", 5000, at_least=True),
    Goal("growth", "growth", "createGrowth", 1.2),
    Goal("growth", "growth", "executeGrowth", 1.2),
    Goal("growth", "growth", "deleteGrowth", 1.2),
    Goal("bubblewrap-one-shot", "bubblewrap-one-shot", "p50", 1.25, "bwrap"),
    # Half the speed of cp is twice its time.
    Goal("upload", "upload", "p50", 2, "cp"),
    Goal("upload", "upload", "megabytesPerSecond", 500, at_least=True, guide=True),
    # Constant memory: what a transfer adds at its peak is less than half of what it moves.
    Goal("upload", "upload", "serverGrowthMiB", 8),
    Goal("download", "download", "p50", 2, "cp"),
    Goal("download", "download", "megabytesPerSecond", 500, at_least=True, guide=True),
    Goal("download", "download", "serverGrowthMiB", 8),
    Goal("print-to-byte", "print-to-byte", "p50", 1),
    Goal("startup", "help", "p50", 150),
    Goal("startup", "import", "foreignModules", 0),
    Goal("cell", "cell", "p50", 1 / 20, "ipykernel-cell"),
    Goal("cell", "cell", "p50", 0.4, guide=True),
    Goal("cell", "cell", "p99", 2, guide=True),
    Goal("context", "context", "p50", 1 / 250, "ipykernel-start"),
    Goal("context", "context", "p50", 3, guide=True),
    Goal("cells", "cells", RATE, 1, at_least=True),
    Goal("cells", "cells", "perSecond", 5000, at_least=True),
    Goal("context-memory", "context-memory", "privateMiBEach", 5),
    Goal("soak", "soak", RATE, 0.9999, at_least=True),
    Goal("soak", "soak", "serverDriftPercent", 5),
    Goal("soak", "soak", "helpersDriftPercent", 5),
    *(
        Goal(benchmark, benchmark, f"{counter}Leaked", 0)
        for benchmark in ("soak", "cycles")
        for counter in ("processes", "mounts", "cgroups", "namespaces", "descriptors", "files")
    ),
    Goal("cycles", "cycles", RATE, 1, at_least=True),
)
"""What `sandlot bench` checks."""

NOT_BUILT = (
    "one-shots per second with a fresh network namespace each, beside recycled ones: at least 450",
    "microVM from a template's clone to its first result: at most 0.2 s",
)
"""Promises about what sandlot cannot do yet, or not yet both ways."""


def verdicts(
    benchmark: str,
    series: str,
    values: Mapping[str, float | None],
    ratios: Mapping[str, float | None],
    *,
    comparable: bool,
) -> tuple[Verdict, ...]:
    """Every goal of a series beside its value: *values* by figure, *ratios* of the p50 by baseline.

    Numbers that are not *comparable*, those of a quick run, neither meet a goal nor miss it.
    """
    mine = (goal for goal in GOALS if (goal.benchmark, goal.series) == (benchmark, series))
    return tuple(_verdict(goal, values, ratios, comparable=comparable) for goal in mine)


def _verdict(
    goal: Goal,
    values: Mapping[str, float | None],
    ratios: Mapping[str, float | None],
    *,
    comparable: bool,
) -> Verdict:
    value = values.get(goal.figure) if goal.baseline is None else ratios.get(goal.baseline)
    met = None if value is None or not comparable else goal.holds(value)
    return Verdict(goal, value, met)
