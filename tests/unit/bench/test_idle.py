from __future__ import annotations

import pytest

from sandlot.bench import idle
from sandlot.bench.idle import Weight

MIB = 2**20


def test_each_sandbox_weighs_its_part_by_both_counts() -> None:
    before, after = Weight(1000 * MIB, 50 * MIB), Weight(900 * MIB, 130 * MIB)
    assert idle.weights(before, after, 40) == {"availableMiBEach": 2.5, "privateMiBEach": 2.0}


def test_what_may_not_be_read_is_left_out_and_nothing_weighs_nothing() -> None:
    assert idle.weights(Weight(8, None), Weight(8, None), 1) == {"availableMiBEach": 0.0}
    assert idle.weights(Weight(8, 1), Weight(8, 1), 0) == {}


def test_the_last_tenth_is_compared_with_the_first() -> None:
    assert idle.lateness((2.0, 9.0) * 5 + (3.0,) * 90) == {"createLateOverEarly": 1.5}
    assert idle.lateness((1.0,) * 9) == {}


@pytest.mark.parametrize(
    ("found", "asked", "judged"),
    [(200, 200, False), (150, 200, True), (5000, 5000, True), (4000, 5000, True)],
)
def test_how_many_fit_is_judged_only_where_it_was_tried(found: int, asked: int, judged: bool) -> None:
    figures = idle.room(found, asked)
    assert figures["liveSandboxes"] == found
    assert ("idleSandboxes" in figures) is judged
