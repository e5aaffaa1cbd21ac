"""TTI results in the shape of ComputeSDK's benchmarks, so that the same readers compare them (pure).

Source: github.com/computesdk/benchmarks. Method and scoring from METHODOLOGY.md (commit 6fafdd0), field
names and their order from the files results/{sequential,staggered,burst}_tti of May 2026 (version 1.1):
milliseconds with two decimals, `mode` missing for sequential and `concurrent` for burst, `ttiMs` 0 with an
`error` for an iteration that failed. `environment.python` stands where theirs has `node`.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from .machine import Machine
from .summary import Launch, Round, percentile

TIMEOUT = 120.0
"""Seconds a sandbox has from the call to its first command's end."""
STAGGER = 0.2
"""Seconds between two launches of a staggered round."""

_VERSION = "1.1"
_MODES = {"staggered": "staggered", "burst": "concurrent"}
_CEILING = 10_000.0  # milliseconds at which a metric scores nothing
_WEIGHTS = {"median": 0.60, "p95": 0.25, "p99": 0.15}
_TRIMMED = 20  # one in twenty, at either end: 5 %
_ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}  # as Node.js calls them


def document(
    mode: str, taken: Round, machine: Machine, *, at: str, stagger: float = STAGGER
) -> dict[str, Any]:
    """The whole file of one run of *mode* (sequential, staggered, burst), *at* in RFC 3339."""
    return {
        "version": _VERSION,
        "timestamp": at,
        "environment": {
            "python": machine.python,
            "platform": "linux",
            "arch": _ARCHITECTURES.get(machine.architecture, machine.architecture),
        },
        "config": {"iterations": len(taken.launches), "timeoutMs": round(TIMEOUT * 1000)},
        "results": [_result(mode, taken, stagger)],
    }


def typical(rounds: Sequence[Round]) -> Round:
    """The round whose median lies in the middle: one run as theirs is one run, neither best nor worst."""
    ordered = sorted(rounds, key=lambda taken: _stats(taken.launches)["median"])
    return ordered[(len(ordered) - 1) // 2]


def _result(mode: str, taken: Round, stagger: float) -> dict[str, Any]:
    launches = taken.launches
    stats = _stats(launches)
    rate = sum(each.tti is not None for each in launches) / len(launches) if launches else 0.0
    return {
        "provider": "sandlot",
        **_together(mode, taken, stagger),
        "iterations": [_iteration(each) for each in launches],
        "summary": {"ttiMs": {name: round(value, 2) for name, value in stats.items()}},
        "compositeScore": round(_timing_score(stats) * rate, 2) if rate else 0,
        "successRate": rate,
    }


def _together(mode: str, taken: Round, stagger: float) -> dict[str, Any]:
    """The fields of the modes that launch several sandboxes before the first has ended."""
    if mode not in _MODES:
        return {}
    fields: dict[str, Any] = {"mode": _MODES[mode], "concurrency": len(taken.launches)}
    if mode == "staggered":
        fields["staggerDelayMs"] = round(stagger * 1000)
    ready = [each.ready for each in taken.launches if each.ready is not None]
    fields["wallClockMs"] = round(max(ready, default=0.0), 2)
    fields["timeToFirstReadyMs"] = round(min(_times(taken.launches), default=0.0), 2)
    if mode == "staggered":
        fields["rampProfile"] = [_step(each) for each in taken.launches if each.tti is not None]
    return fields


def _iteration(launch: Launch) -> dict[str, Any]:
    if launch.tti is None:
        return {"ttiMs": 0, "error": launch.error or "failed"}
    return {"ttiMs": round(launch.tti, 2)}


def _step(launch: Launch) -> dict[str, float]:
    times = {"launchedAt": launch.launched, "readyAt": launch.ready or 0.0, "ttiMs": launch.tti or 0.0}
    return {name: round(value, 2) for name, value in times.items()}


def _times(launches: Sequence[Launch]) -> list[float]:
    return [each.tti for each in launches if each.tti is not None]


def _stats(launches: Sequence[Launch]) -> dict[str, float]:
    """Median, p95 and p99 of the successful launches without the fastest and slowest twentieth."""
    times = sorted(_times(launches))
    if not times:
        return dict.fromkeys(_WEIGHTS, 0.0)
    cut = len(times) // _TRIMMED
    kept = times[cut : len(times) - cut]
    return {"median": statistics.median(kept), "p95": percentile(kept, 95), "p99": percentile(kept, 99)}


def _timing_score(stats: dict[str, float]) -> float:
    """0 to 100, higher is better."""
    return sum(weight * max(0.0, 100 * (1 - stats[name] / _CEILING)) for name, weight in _WEIGHTS.items())
