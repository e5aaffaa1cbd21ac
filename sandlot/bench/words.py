"""A run's document in words for people: numbers, goals, the table on standard output (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_HEAD = ("WHAT", "N", "FAILED", "MIN", "P50", "P95", "P99", "MAX", "P50 AGAINST", "GOALS")
_FIGURES = {
    "createMs": "created in {} ms",
    "destroyMs": "destroyed in {} ms",
    "wallClockMs": "all ready in {} ms",
    "perSecond": "{} per second",
    "clientMicroseconds": "{} us of processor time each at the client",
    "megabytesPerSecond": "{} MB/s",
    "serverGrowthMiB": "server grows by {} MiB",
    "privateMiBEach": "{} MiB of private memory each",
    "availableMiBEach": "{} MiB less available for each",
    "createLateOverEarly": "the last tenth created in {} x the time of the first",
    "liveSandboxes": "{} sandboxes at once",
    "createGrowth": "create grows to {} x",
    "executeGrowth": "exec to {} x",
    "deleteGrowth": "delete to {} x",
    "serverDriftPercent": "server grew by {} %",
    "helpersDriftPercent": "its helpers by {} %",
    "p99DriftPercent": "p99 rose by {} %",
    "foreignModules": "{} foreign modules",
}
_COUNTER = re.compile(r"(\w+)Leaked")
_REPEATED = re.compile(r"(\w+)Repeated")


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
    """One goal and whether it was met; a guide stands in brackets, because it is no promise."""
    verdict = {True: "met", False: "not met", None: "not judged"}[entry["met"]]
    text = f"{entry['goal']}: {verdict}"
    return f"({text})" if entry["guide"] else text


def table(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The rows of a run, head first; times in milliseconds."""
    return [_HEAD, *(_row(result) for result in document["results"])]


def notes(document: Mapping[str, Any]) -> list[str]:
    """What the table does not hold: figures, what was skipped or is not built, the server, the machine."""
    lines = [
        f"{title(result)}: {'; '.join(found)}"
        for result in document["results"]
        if (found := told_figures(result))
    ]
    lines += [skipped(entry) for entry in document["skipped"]]
    lines += [f"not built yet: {promise}" for promise in document["notBuilt"]]
    if document["server"]:
        lines.append("sandboxes were made by " + server(document["server"]))
    return [*lines, "on " + machine(document)]


def skipped(entry: Mapping[str, Any]) -> str:
    """What could not be measured, and why."""
    return f"{entry['benchmark']}: {entry['kind']}: {entry['why']}"


def server(facts: Mapping[str, Any]) -> str:
    """Who made the sandboxes, and behind which walls."""
    walls = ", ".join(facts["enforced"]) or "none"
    text = f"engine {facts['engine']} (isolation {facts['isolation']}) behind these walls and limits: {walls}"
    return text + "".join(f"; before it was asked: {other}" for other in facts["failover"])


def told_figures(result: Mapping[str, Any]) -> list[str]:
    """The figures of a result in words."""
    figures = result["figures"]
    lines = [text.format(number(figures[name])) for name, text in _FIGURES.items() if name in figures]
    for name, value in figures.items():
        if found := _COUNTER.fullmatch(name):
            before, after = (number(figures[f"{found[1]}{when}"]) for when in ("Before", "After"))
            lines.append(f"{found[1]} {before} before, {after} after")
        if found := _REPEATED.fullmatch(name):
            lines.append(f"{found[1]} told by several: {number(value)}")
    return lines


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
