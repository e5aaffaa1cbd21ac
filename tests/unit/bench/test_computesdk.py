from __future__ import annotations

from typing import Any

import pytest

from sandlot.bench import computesdk
from sandlot.bench.machine import Machine
from sandlot.bench.summary import Launch, Round

MACHINE = Machine(2, 2**30, "x86_64", "Linux 6.1", "CPython 3.11.2")
AT = "2026-01-02T03:04:05Z"


def taken(*times: float | None) -> Round:
    launches = tuple(
        Launch(200.0 * number, time, None if time is not None else "timed_out: late")
        for number, time in enumerate(times)
    )
    return Round(tuple(time for time in times if time is not None), (), {}, launches)


def document(mode: str, taken: Round) -> dict[str, Any]:
    return computesdk.document(mode, taken, MACHINE, at=AT)


def test_a_sequential_document_has_the_fields_of_theirs_in_their_order() -> None:
    found = document("sequential", taken(41.234, 43.0))
    (result,) = found["results"]
    assert list(found) == ["version", "timestamp", "environment", "config", "results"]
    assert (found["version"], found["timestamp"]) == ("1.1", AT)
    assert found["environment"] == {"python": "CPython 3.11.2", "platform": "linux", "arch": "x64"}
    assert found["config"] == {"iterations": 2, "timeoutMs": 120000}
    assert list(result) == ["provider", "iterations", "summary", "compositeScore", "successRate"]
    assert result["iterations"] == [{"ttiMs": 41.23}, {"ttiMs": 43.0}]
    assert result["summary"] == {"ttiMs": {"median": 42.12, "p95": 43.0, "p99": 43.0}}


def test_a_staggered_result_tells_its_ramp() -> None:
    (result,) = document("staggered", taken(41.234, None, 43.0))["results"]
    assert list(result) == [
        "provider", "mode", "concurrency", "staggerDelayMs", "wallClockMs", "timeToFirstReadyMs",
        "rampProfile", "iterations", "summary", "compositeScore", "successRate",
    ]  # fmt: skip
    assert (result["mode"], result["concurrency"], result["staggerDelayMs"]) == ("staggered", 3, 200)
    assert (result["wallClockMs"], result["timeToFirstReadyMs"]) == (443.0, 41.23)
    assert result["rampProfile"] == [
        {"launchedAt": 0.0, "readyAt": 41.23, "ttiMs": 41.23},
        {"launchedAt": 400.0, "readyAt": 443.0, "ttiMs": 43.0},
    ]


def test_a_burst_is_called_concurrent_and_has_no_ramp() -> None:
    (result,) = document("burst", taken(41.0, 43.0))["results"]
    assert result["mode"] == "concurrent"
    assert not {"rampProfile", "staggerDelayMs"} & set(result)


def test_a_failure_lowers_the_success_rate_and_not_the_times() -> None:
    (result,) = document("sequential", taken(100.0, None, 100.0, 100.0))["results"]
    assert result["iterations"][1] == {"ttiMs": 0, "error": "timed_out: late"}
    assert result["successRate"] == 0.75
    assert result["summary"]["ttiMs"]["median"] == 100.0
    assert result["compositeScore"] == pytest.approx(99 * 0.75)


def test_without_a_success_the_score_is_nothing() -> None:
    (result,) = document("burst", taken(None, None))["results"]
    assert (result["compositeScore"], result["successRate"]) == (0, 0.0)
    assert result["summary"]["ttiMs"] == {"median": 0.0, "p95": 0.0, "p99": 0.0}


def test_the_score_is_the_published_one() -> None:
    # archil, burst of 2026-05-03 in their repository: 667.57, 780.81, 796.46 give 92.85.
    stats = {"median": 667.57, "p95": 780.81, "p99": 796.46}
    assert round(computesdk._timing_score(stats), 2) == 92.85


def test_a_score_is_never_negative() -> None:
    (result,) = document("sequential", taken(30_000.0))["results"]
    assert result["compositeScore"] == 0


def test_one_in_twenty_is_cut_off_at_either_end() -> None:
    times = [float(number) for number in range(1, 101)]
    (result,) = document("sequential", taken(*times))["results"]
    # 6 to 95 are left: rank 86 of 90 is 91, rank 90 is 95.
    assert result["summary"]["ttiMs"] == {"median": 50.5, "p95": 91.0, "p99": 95.0}


def test_the_typical_round_is_neither_best_nor_worst() -> None:
    slow, fast, middle = taken(9.0), taken(1.0), taken(5.0)
    assert computesdk.typical([slow, fast, middle]) is middle
    assert computesdk.typical([slow, fast]) is fast
