"""Statistics of samples: nearest-rank percentiles within a round, medians over rounds (pure).

One round is one block of samples. A figure of a series is the median over its rounds, so that one
disturbed round does not decide it; a ratio is taken within each round, because both sides of it then met
the same machine, and its median over the rounds is told.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Launch:
    """One sandbox of a TTI round, in milliseconds: when it was asked for, counted from the round's begin,
    and how long it took to its first command's end (None, with `error`, when it did not come to that).
    """

    launched: float
    tti: float | None
    error: str | None = None

    @property
    def ready(self) -> float | None:
        """When its first command had ended, counted from the round's begin."""
        return None if self.tti is None else self.launched + self.tti


@dataclass(frozen=True, slots=True)
class Round:
    """One block of samples: milliseconds of those that succeeded, and a message for each that failed.

    `figures` are numbers of the round as a whole, each with its unit in its name. `launches` are told by
    the benchmark `tti` alone.
    """

    times: tuple[float, ...]
    errors: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    launches: tuple[Launch, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """A series in numbers, in milliseconds; None where no sample succeeded.

    `minimum` and `maximum` are those of all samples, the percentiles medians over the rounds.
    """

    n: int
    failures: int
    minimum: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    maximum: float | None = None

    @property
    def success_rate(self) -> float:
        """Successes per attempt, 0 to 1; 0 without any attempt."""
        attempts = self.n + self.failures
        return self.n / attempts if attempts else 0.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """How a series' p50 relates to a baseline's: the median over the rounds, and the range they span."""

    value: float
    least: float
    most: float


def percentile(values: Iterable[float], percent: int) -> float:
    """The nearest-rank percentile: the smallest value that at least *percent* % of *values* do not exceed.

    Raises ValueError without values or outside 1 to 100.
    """
    ordered = sorted(values)
    if not ordered or not 1 <= percent <= 100:
        raise ValueError(f"no percentile {percent} of {len(ordered)} values")
    # In whole numbers: 0.07 * 100 is more than 7 in floating point, and would name the next rank.
    rank = -(-percent * len(ordered) // 100)
    return ordered[rank - 1]


def summarised(rounds: Sequence[Round]) -> Summary:
    """What *rounds* of one series amount to."""
    everything = [time for each in rounds for time in each.times]
    failures = sum(len(each.errors) for each in rounds)
    if not everything:
        return Summary(0, failures)

    def typical(percent: int) -> float:
        return statistics.median(percentile(each.times, percent) for each in rounds if each.times)

    return Summary(
        n=len(everything),
        failures=failures,
        minimum=min(everything),
        p50=typical(50),
        p95=typical(95),
        p99=typical(99),
        maximum=max(everything),
    )


def ratio(rounds: Sequence[Round], baseline: Sequence[Round]) -> Ratio | None:
    """The p50 of *rounds* over that of *baseline*, round by round; None when no round has both."""
    pairs = [(ours, base) for ours, base in zip(rounds, baseline, strict=True) if ours.times and base.times]
    if not pairs:
        return None
    found = [percentile(ours.times, 50) / percentile(base.times, 50) for ours, base in pairs]
    return Ratio(statistics.median(found), min(found), max(found))


def figures(rounds: Sequence[Round]) -> dict[str, float]:
    """Every figure of the rounds: its median over those that have it."""
    names = sorted({name for each in rounds for name in each.figures})
    return {
        name: statistics.median(each.figures[name] for each in rounds if name in each.figures)
        for name in names
    }


def interleaved(things: Sequence[Thing], number: int) -> tuple[Thing, ...]:
    """*things* in the order of round *number* (from 0): every second round runs backwards.

    What drifts during a round (clock speed, caches, neighbours) then favours neither side.
    """
    return tuple(things) if number % 2 == 0 else tuple(reversed(things))
