"""The JSON document of a run, schema 2 (pure); docs/performance.md describes its fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandlot._version import __version__

from . import computesdk, goals
from .goals import Verdict
from .machine import Machine
from .session import Effort, Measured
from .summary import Ratio, Round, Summary, figures, ratio, summarised
from .target import Facts

SCHEMA = 2

Load = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """When and where a run was: times in RFC 3339, loads before and after, whose server it was."""

    begun: str
    ended: str
    machine: Machine
    load_before: Load
    load_after: Load
    target: str
    facts: Facts | None = None
    stagger: float = computesdk.STAGGER


def document(found: Sequence[Measured], effort: Effort, around: Circumstances) -> dict[str, Any]:
    """The whole document."""
    return {
        "schema": SCHEMA,
        "sandlot": __version__,
        "begun": around.begun,
        "ended": around.ended,
        "machine": _machine(around),
        "config": {"rounds": effort.rounds, "quick": effort.is_quick, "target": around.target},
        "server": None if around.facts is None else _facts(around.facts),
        "results": [
            _series(each, name, comparable=not effort.is_quick)
            for each in found
            for name in (*each.series, *each.baselines)
        ],
        "skipped": [
            {"benchmark": each.benchmark.name, "kind": _kind(each), "why": each.skipped}
            for each in found
            if each.skipped
        ],
        "notBuilt": list(goals.NOT_BUILT),
        "computesdk": {
            mode: _computesdk(mode, rounds, around)
            for each in found
            for mode, rounds in each.series.items()
            if any(taken.launches for taken in rounds)
        },
    }


def missed(shown: Mapping[str, Any]) -> list[str]:
    """What *shown* misses, a line each: promises that do not hold, and series without any success.

    A guide is no promise, and what was skipped or not judged is not missed.
    """
    lines = []
    for result in shown["results"]:
        who = f"{result['benchmark']} {result['series']}"
        if not result["n"]:
            lines.append(f"{who}: no sample succeeded ({next(iter(result['errors']), 'none was taken')})")
        lines += [
            f"{who}: {entry['goal']} (it is {entry['value']:g})"
            for entry in result["goals"]
            if entry["met"] is False and not entry["guide"]
        ]
    return lines


def _facts(facts: Facts) -> dict[str, Any]:
    return {
        "engine": facts.engine,
        "isolation": facts.isolation,
        "enforced": list(facts.enforced),
        "failover": list(facts.failover),
    }


def _kind(found: Measured) -> str:
    return "not possible here" if found.is_built else "not built yet"


def _machine(around: Circumstances) -> dict[str, Any]:
    machine = around.machine
    return {
        "cores": machine.cores,
        "memoryBytes": machine.memory,
        "architecture": machine.architecture,
        "kernel": machine.kernel,
        "python": machine.python,
        "loadBefore": list(around.load_before),
        "loadAfter": list(around.load_after),
    }


def _series(found: Measured, name: str, *, comparable: bool) -> dict[str, Any]:
    is_baseline = name in found.baselines
    rounds = found.baselines[name] if is_baseline else found.series[name]
    summary = summarised(rounds)
    ratios = {} if is_baseline else _ratios(rounds, found.baselines)
    extra = figures(rounds)
    held = _verdicts(found, name, summary, extra, ratios, comparable=comparable)
    return {
        "benchmark": found.benchmark.name,
        "series": name,
        "baseline": is_baseline,
        "perRound": found.count,
        "n": summary.n,
        "failures": summary.failures,
        "successRate": round(summary.success_rate, 6),
        "errors": _counted(rounds),
        "ms": _milliseconds(summary),
        "figures": {figure: round(value, 3) for figure, value in extra.items()},
        "ratios": {each: _ratio(value) for each, value in ratios.items()},
        "goals": [_goal(each) for each in held],
        "rounds": [_milliseconds(summarised([each])) for each in rounds],
    }


def _ratios(rounds: Sequence[Round], beside: Mapping[str, tuple[Round, ...]]) -> dict[str, Ratio]:
    found = {name: ratio(rounds, baseline) for name, baseline in beside.items()}
    return {name: value for name, value in found.items() if value is not None}


def _verdicts(
    found: Measured,
    name: str,
    summary: Summary,
    extra: Mapping[str, float],
    ratios: Mapping[str, Ratio],
    *,
    comparable: bool,
) -> tuple[Verdict, ...]:
    values = {
        **extra,
        "p50": summary.p50,
        "p95": summary.p95,
        "p99": summary.p99,
        goals.RATE: summary.success_rate,
    }
    plain = {baseline: each.value for baseline, each in ratios.items()}
    return goals.verdicts(found.benchmark.name, name, values, plain, comparable=comparable)


def _milliseconds(summary: Summary) -> dict[str, float | None]:
    named = {
        "min": summary.minimum,
        "p50": summary.p50,
        "p95": summary.p95,
        "p99": summary.p99,
        "max": summary.maximum,
    }
    return {name: None if value is None else round(value, 4) for name, value in named.items()}


def _ratio(found: Ratio) -> dict[str, float]:
    return {
        "value": round(found.value, 4),
        "least": round(found.least, 4),
        "most": round(found.most, 4),
    }


def _goal(verdict: Verdict) -> dict[str, Any]:
    return {
        "goal": verdict.goal.words,
        "baseline": verdict.goal.baseline,
        "value": None if verdict.value is None else round(verdict.value, 4),
        "guide": verdict.goal.guide,
        "met": verdict.met,
    }


def _counted(rounds: Sequence[Round]) -> dict[str, int]:
    """How often each error was told, the most frequent first, at most ten of them."""
    counts: dict[str, int] = {}
    for each in rounds:
        for error in each.errors:
            counts[error] = counts.get(error, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1])[:10])


def _computesdk(mode: str, rounds: Sequence[Round], around: Circumstances) -> dict[str, Any]:
    taken = computesdk.typical(rounds)
    return computesdk.document(mode, taken, around.machine, at=around.begun, stagger=around.stagger)
