from __future__ import annotations

import pytest

from sandlot.bench import catalogue, goals
from sandlot.bench.goals import Goal


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Goal("b", "s", "p50", 1.5), 1.5, True),
        (Goal("b", "s", "p50", 1.5), 1.51, False),
        (Goal("b", "s", "successRate", 1, at_least=True), 1.0, True),
        (Goal("b", "s", "successRate", 1, at_least=True), 0.99, False),
    ],
)
def test_a_goal_is_met_up_to_its_limit(goal: Goal, value: float, met: bool) -> None:
    assert goal.holds(value) is met


def test_a_verdict_takes_the_ratio_where_the_goal_names_a_baseline() -> None:
    values, ratios = {"p50": 9.0, "p99": None}, {"python": 0.1}
    found = goals.verdicts("one-shot", "spaced", values, ratios, comparable=True)
    assert [(each.goal.words, each.value, each.met, each.goal.guide) for each in found] == [
        ("p50 / python <= 0.12", 0.1, True, False),
        ("p50 <= 1.1", 9.0, False, True),
        ("p99 <= 4", None, None, True),
    ]


def test_a_quick_run_judges_no_goal() -> None:
    found = goals.verdicts("one-shot", "spaced", {"p50": 0.1}, {}, comparable=False)
    assert [each.met for each in found] == [None, None, None]


def test_every_goal_is_about_something_that_is_measured_and_compared() -> None:
    known = {each.name: each for each in (*catalogue.BENCHMARKS, *catalogue.BY_NAME_ONLY)}
    unjudged = set(known) - {goal.benchmark for goal in goals.GOALS}
    assert unjudged == {"http"}  # what others are compared with
    assert not [goal for goal in goals.GOALS if goal.baseline not in (None, *known[goal.benchmark].baselines)]


def test_a_guide_stands_beside_a_promised_ratio() -> None:
    ratios = {(goal.benchmark, goal.series) for goal in goals.GOALS if goal.baseline is not None}
    assert {(goal.benchmark, goal.series) for goal in goals.GOALS if goal.guide} <= ratios
