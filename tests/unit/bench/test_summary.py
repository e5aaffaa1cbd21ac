from __future__ import annotations

import pytest

from sandlot.bench.summary import (
    Launch,
    Ratio,
    Round,
    Summary,
    figures,
    interleaved,
    percentile,
    ratio,
    summarised,
)

HUNDRED = tuple(float(number) for number in range(1, 101))


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ((7.0,), 1, 7.0),
        ((7.0,), 50, 7.0),
        ((7.0,), 100, 7.0),
        ((2.0, 1.0), 50, 1.0),
        ((2.0, 1.0), 51, 2.0),
        ((15.0, 20.0, 35.0, 40.0, 50.0), 30, 20.0),
        ((15.0, 20.0, 35.0, 40.0, 50.0), 40, 20.0),
        ((15.0, 20.0, 35.0, 40.0, 50.0), 50, 35.0),
        ((15.0, 20.0, 35.0, 40.0, 50.0), 100, 50.0),
        (HUNDRED, 7, 7.0),
        (HUNDRED, 29, 29.0),
        (HUNDRED, 95, 95.0),
        (HUNDRED, 99, 99.0),
        (HUNDRED[::-1], 99, 99.0),
        (HUNDRED[:20], 95, 19.0),
        (HUNDRED[:20], 99, 20.0),
        ((3.0, 3.0, 3.0), 95, 3.0),
    ],
)
def test_a_percentile_is_the_nearest_rank(values: tuple[float, ...], percent: int, expected: float) -> None:
    assert percentile(values, percent) == expected


@pytest.mark.parametrize(("values", "percent"), [((), 50), ((1.0,), 0), ((1.0,), 101)])
def test_no_percentile_of_nothing_or_out_of_range(values: tuple[float, ...], percent: int) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(values, percent)


def test_a_summary_takes_medians_over_rounds_and_extremes_of_all() -> None:
    rounds = [Round((1.0, 2.0, 3.0)), Round((10.0, 20.0, 30.0), ("late",)), Round((4.0, 5.0, 6.0))]
    assert summarised(rounds) == Summary(
        n=9, failures=1, minimum=1.0, p50=5.0, p95=6.0, p99=6.0, maximum=30.0
    )
    assert summarised(rounds).success_rate == 0.9


def test_an_even_number_of_rounds_takes_the_middle_of_two() -> None:
    assert summarised([Round((1.0,)), Round((2.0,))]).p50 == 1.5


def test_a_round_without_a_success_is_counted_and_decides_nothing() -> None:
    assert summarised([Round((), ("a", "b")), Round((4.0,))]) == Summary(1, 2, 4.0, 4.0, 4.0, 4.0, 4.0)
    assert summarised([Round((), ("a",))]) == Summary(0, 1)
    assert summarised([]).success_rate == 0.0


def test_a_ratio_is_taken_within_each_round() -> None:
    ours = [Round((1.0,)), Round((10.0,)), Round((3.0,))]
    base = [Round((10.0,)), Round((100.0,)), Round((10.0,))]
    assert ratio(ours, base) == Ratio(0.1, 0.1, 0.3)


def test_a_ratio_leaves_out_rounds_that_lack_a_side() -> None:
    assert ratio([Round(()), Round((1.0,))], [Round((2.0,)), Round((4.0,))]) == Ratio(0.25, 0.25, 0.25)
    assert ratio([Round(())], [Round((1.0,))]) is None


def test_a_figure_is_the_median_of_the_rounds_that_have_it() -> None:
    rounds = [
        Round((), figures={"a": 1.0}),
        Round((), figures={"a": 9.0, "b": 2.0}),
        Round((), figures={"a": 3.0}),
    ]
    assert figures(rounds) == {"a": 3.0, "b": 2.0}


def test_every_second_round_runs_backwards() -> None:
    assert [interleaved("AB", number) for number in range(3)] == [("A", "B"), ("B", "A"), ("A", "B")]


def test_a_launch_is_ready_when_its_time_is_over() -> None:
    assert Launch(100.0, 20.0).ready == 120.0
    assert Launch(100.0, None, "failed").ready is None
