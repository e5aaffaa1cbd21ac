from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from sandlot.bench import plot
from sandlot.contracts.errors import InvalidSpec
from tests.unit.bench.samples import document

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


def test_a_bar_is_the_share_of_what_a_promise_allows() -> None:
    found = {each.label: (round(each.share, 3), each.met) for each in plot.bars(document())}
    assert found == {
        "one-shot spaced: p50 / python <= 0.12 (0.40)": (3.333, False),
        "burst: successRate >= 1 (0.67)": (1.5, False),
        "burst: wallClockMs <= 300 (60)": (0.2, True),
    }


def test_a_promise_of_nothing_has_no_scale() -> None:
    assert plot._share("processesLeaked <= 0", 1.0) is None
    assert plot._share("p50 <= 4", None) is None
    assert plot._share("p50 <= 4", 0.0) == 0.001


@pytest.mark.skipif(HAS_MATPLOTLIB, reason="matplotlib is installed")
def test_without_matplotlib_the_extra_is_named() -> None:
    with pytest.raises(InvalidSpec, match=r"pip install 'sandlot\[bench\]'"):
        plot.prove_possible(Path("out.svg"))


@pytest.mark.skipif(not HAS_MATPLOTLIB, reason="matplotlib is not installed")
def test_a_run_is_drawn(tmp_path: Path) -> None:
    shown = document()
    shown["results"][0]["figures"] = {"createMsAt10": 2.0, "createMsAt1000": 3.0}
    for name in ("out.svg", "out.png"):
        plot.prove_possible(tmp_path / name)
        plot.draw(shown, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    with pytest.raises(InvalidSpec, match="no ending of a picture"):
        plot.prove_possible(tmp_path / "out.txt")
