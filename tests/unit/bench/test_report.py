from __future__ import annotations

import json

from sandlot.bench import goals, report, words
from sandlot.bench.session import Effort, Measured
from sandlot.bench.summary import Round
from tests.unit.bench.samples import AROUND, benchmark, document


def test_the_document_has_the_fields_that_are_promised() -> None:
    shown = document()
    assert list(shown) == [
        "schema", "sandlot", "begun", "ended", "machine", "config", "server", "results", "skipped",
        "notBuilt", "computesdk",
    ]  # fmt: skip
    assert shown["schema"] == 2
    assert shown["config"] == {"rounds": 2, "quick": False, "target": "private server"}
    assert list(shown["machine"]) == [
        "cores", "memoryBytes", "architecture", "kernel", "python", "loadBefore", "loadAfter",
    ]  # fmt: skip
    assert json.loads(json.dumps(shown)) == shown


def test_a_result_has_the_fields_that_are_promised() -> None:
    result = document()["results"][0]
    assert result == {
        "benchmark": "one-shot",
        "series": "spaced",
        "baseline": False,
        "perRound": 2,
        "n": 4,
        "failures": 0,
        "successRate": 1.0,
        "errors": {},
        "ms": {"min": 4.0, "p50": 4.0, "p95": 4.6, "p99": 4.6, "max": 4.8},
        "figures": {},
        "ratios": {"python": {"value": 0.4, "least": 0.4, "most": 0.4}},
        "goals": [
            {
                "goal": "p50 / python <= 0.12",
                "baseline": "python",
                "value": 0.4,
                "guide": False,
                "met": False,
            },
            {"goal": "p50 <= 1.1", "baseline": None, "value": 4.0, "guide": True, "met": False},
            {"goal": "p99 <= 4", "baseline": None, "value": 4.6, "guide": True, "met": False},
        ],
        "rounds": [
            {"min": 4.0, "p50": 4.0, "p95": 4.4, "p99": 4.4, "max": 4.4},
            {"min": 4.0, "p50": 4.0, "p95": 4.8, "p99": 4.8, "max": 4.8},
        ],
    }


def test_a_baseline_is_marked_and_compared_with_nothing() -> None:
    result = document()["results"][1]
    assert (result["series"], result["baseline"], result["ratios"], result["goals"]) == (
        "python",
        True,
        {},
        [],
    )


def test_failures_are_counted_by_what_they_said() -> None:
    result = document()["results"][2]
    assert (result["n"], result["failures"], result["errors"]) == (2, 1, {"timed_out: late": 1})
    burst = document()["results"][3]
    assert [goal["met"] for goal in burst["goals"]] == [False, True]


def test_what_was_skipped_says_why() -> None:
    assert document()["skipped"] == [
        {"benchmark": "exec", "kind": "not possible here", "why": "no | engine\nworks here"},
        {"benchmark": "pool-empty", "kind": "not built yet", "why": "no pool"},
    ]


def test_who_made_the_sandboxes_is_told_with_the_walls() -> None:
    assert document()["server"] == {
        "engine": "bubblewrap",
        "isolation": "namespace",
        "enforced": ["namespaces", "seccomp"],
        "failover": ["zygote: no user namespaces"],
    }


def test_tti_comes_in_the_shape_of_others_too() -> None:
    shown = document()["computesdk"]
    assert list(shown) == ["burst"]
    assert shown["burst"]["timestamp"] == "2026-01-02T03:04:05Z"
    assert shown["burst"]["results"][0]["iterations"][0] == {"ttiMs": 40.0}


def test_a_quick_run_judges_nothing() -> None:
    assert {goal["met"] for result in document(quick=True)["results"] for goal in result["goals"]} == {None}


def test_what_is_missed_is_said_and_guides_and_what_was_skipped_are_not() -> None:
    assert report.missed(document()) == [
        "one-shot spaced: p50 / python <= 0.12 (it is 0.4)",
        "burst burst: successRate >= 1 (it is 0.6667)",
    ]
    assert report.missed(document(quick=True)) == []


def test_a_series_without_any_success_is_missed_even_in_a_quick_run() -> None:
    found = Measured(benchmark(name="exec"), 1, {"exec": (Round((), ("timed_out: late",)),)}, {})
    shown = report.document([found], Effort(rounds=1, is_quick=True), AROUND)
    assert report.missed(shown) == ["exec exec: no sample succeeded (timed_out: late)"]


def test_the_table_has_a_row_for_each_series_and_baseline() -> None:
    rows = words.table(document())
    assert [row[0] for row in rows] == [
        "WHAT",
        "one-shot spaced",
        "  beside it: python",
        "tti burst",
        "burst",
    ]
    assert len({len(row) for row in rows}) == 1
    assert rows[1][8] == "0.40 python"
    assert rows[1][9].startswith("p50 / python <= 0.12: not met")


def test_the_notes_tell_figures_skips_and_the_machine() -> None:
    *others, machine = words.notes(document())
    assert others == [
        "tti burst: created in 30 ms; destroyed in 5 ms; all ready in 60 ms",
        "burst: created in 30 ms; destroyed in 5 ms; all ready in 60 ms",
        "exec: not possible here: no | engine\nworks here",
        "pool-empty: not built yet: no pool",
        *(f"not built yet: {promise}" for promise in goals.NOT_BUILT),
        "sandboxes were made by " + words.server(document()["server"]),
    ]
    assert words.server(document()["server"]) == (
        "engine bubblewrap (isolation namespace) behind these walls and limits: namespaces, seccomp; "
        "before it was asked: zygote: no user namespaces"
    )
    assert machine == (
        "on 2 cores (x86_64), 24 GiB, Linux 6.1, CPython 3.11.2; "
        "load 0.10 0.20 0.30 before, 1.10 1.20 1.30 after"
    )
