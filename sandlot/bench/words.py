"""A run's document in words for people: numbers, goals, the table on standard output (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEAD = ("WHAT", "N", "FAILED", "MIN", "P50", "P95", "P99", "MAX", "P50 AGAINST", "GOALS")
_FIGURES = {
    "createMs": "created in {} ms",
    "destroyMs": "destroyed in {} ms",
    "wallClockMs": "all ready in {} ms",
    "megabytesPerSecond": "{} MB/s",
    "serverGrowthMiB": "server grows by {} MiB",
    "foreignModules": "{} foreign modules",
}


def number(value: float | None) -> str:
    """*value* with about three digits that mean something; a dash for none."""
    if value is None:
        return "-"
    size = abs(value)
    decimals = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{value:.{decimals}f}"


def title(result: Mapping[str, Any]) -> str:
    """What a result is of: its benchmark, and its series where that says more."""
    benchmark, series = result["benchmark"], result["series"]
    if result["baseline"]:
        return f"  beside it: {series}"
    return str(benchmark) if benchmark == series else f"{benchmark} {series}"


def goal(entry: Mapping[str, Any]) -> str:
    """One goal and whether it was met."""
    verdict = {True: "met", False: "not met", None: "not judged"}[entry["met"]]
    return f"{entry['goal']}: {verdict}"


def table(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The rows of a run, head first; times in milliseconds."""
    return [_HEAD, *(_row(result) for result in document["results"])]


def notes(document: Mapping[str, Any]) -> list[str]:
    """What the table does not hold: figures, what was skipped, the machine."""
    lines = [
        f"{title(result)}: {'; '.join(found)}"
        for result in document["results"]
        if (found := told_figures(result))
    ]
    lines += [f"{entry['benchmark']} was skipped: {entry['why']}" for entry in document["skipped"]]
    return [*lines, "on " + machine(document)]


def told_figures(result: Mapping[str, Any]) -> list[str]:
    """The figures of a result in words."""
    figures = result["figures"]
    return [text.format(number(figures[name])) for name, text in _FIGURES.items() if name in figures]


def machine(document: Mapping[str, Any]) -> str:
    """What the numbers were measured on, in one line."""
    facts = document["machine"]
    before, after = (" ".join(f"{load:.2f}" for load in facts[name]) for name in ("loadBefore", "loadAfter"))
    return (
        f"{facts['cores']} cores ({facts['architecture']}), {facts['memoryBytes'] / 2**30:.0f} GiB, "
        f"{facts['kernel']}, {facts['python']}; load {before} before, {after} after"
    )


def _row(result: Mapping[str, Any]) -> tuple[str, ...]:
    times = result["ms"]
    ratios = [f"{number(found['value'])} {name}" for name, found in result["ratios"].items()]
    return (
        title(result),
        str(result["n"]),
        str(result["failures"]),
        *(number(times[name]) for name in ("min", "p50", "p95", "p99", "max")),
        ", ".join(ratios),
        "; ".join(goal(entry) for entry in result["goals"]),
    )
