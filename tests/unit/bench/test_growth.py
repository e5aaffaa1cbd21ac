from __future__ import annotations

import pytest

from sandlot.bench import growth
from sandlot.bench.talk import Life


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ({10: 2.0, 100: 2.0, 1000: 2.0}, 1.0),
        ({0: 1.0, 100: 2.0}, 2.0),
        ({10: 1.1, 100: 2.0, 1000: 11.0}, 10.0),
        ({10: 4.0, 1000: 2.0}, 0.5),
    ],
)
def test_growth_is_the_fitted_lines_end_over_its_begin(curve: dict[int, float], expected: float) -> None:
    assert growth.growth(curve) == pytest.approx(expected)


def test_one_disturbed_point_in_the_middle_hardly_counts() -> None:
    calm = {10: 2.0, 30: 2.0, 100: 2.0, 300: 2.0, 1000: 2.0}
    assert growth.growth({**calm, 300: 3.0}) == pytest.approx(1.0, abs=0.05)


def test_a_line_below_nothing_falls_back_on_the_points() -> None:
    assert growth.growth({10: 0.1, 20: 0.1, 1000: 50.0, 900: 10.0}) == pytest.approx(500)


def test_a_line_has_the_least_squares() -> None:
    assert growth.fitted((0, 1, 2), (1.0, 3.0, 5.0)) == (2.0, 1.0)
    with pytest.raises(ValueError, match="no line through 2 points at 1 places"):
        growth.fitted((5, 5), (1.0, 2.0))


def test_the_curve_is_told_in_figures_and_read_back() -> None:
    lives = {10: [Life(1.0, 2.0, 3.0)] * 3, 20: [Life(2.0, 2.0, 3.0)], 30: []}
    found = growth.figures(lives)
    assert found["createGrowth"] == pytest.approx(2.0)
    assert found["deleteGrowth"] == pytest.approx(1.0)
    assert growth.points(found) == {
        "create": {10: 1.0, 20: 2.0},
        "execute": {10: 2.0, 20: 2.0},
        "delete": {10: 3.0, 20: 3.0},
    }


def test_a_single_level_has_no_growth() -> None:
    assert set(growth.figures({10: [Life(1.0, 1.0, 1.0)]})) == {
        "createMsAt10",
        "executeMsAt10",
        "deleteMsAt10",
    }
