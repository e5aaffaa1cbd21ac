from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandlot.bench import page
from tests.unit.bench.samples import document

ROOT = Path(__file__).parents[3]


def test_ratios_come_before_times() -> None:
    text = page.page(document())
    assert 0 < text.index("## Ratios") < text.index("## Times") < text.index("## Reproduce it")
    assert "| one-shot spaced | python | 0.40 | 0.40 to 0.40 | p50 / python <= 0.12: not met |" in text


def test_times_carry_the_goals_that_need_no_baseline() -> None:
    text = page.page(document())
    assert (
        "| one-shot spaced | 4 | 0 | 4 | 4 | 4.60 | 4.60 | 4.80 |  | (p50 <= 1.1: not met); (p99 <= 4" in text
    )
    assert "| tti burst | 2 | 1 | 40 |" in text


def test_what_was_skipped_or_is_not_measured_yet_is_told() -> None:
    text = page.page(document())
    assert "- `exec`: not possible here: no \\| engine works here\n" in text
    assert "- `pool-empty`: not built yet: no pool\n" in text
    assert "- not built yet: microVM from a template's clone" in text


def test_the_engine_and_its_walls_come_first() -> None:
    text = page.page(document())
    assert text.index("engine bubblewrap (isolation namespace) behind") < text.index("## Ratios")


def test_growth_is_a_table_by_the_number_of_sandboxes() -> None:
    shown = document()
    shown["results"][0]["figures"] = {"createMsAt1000": 3.0, "createMsAt10": 2.0, "createGrowth": 1.5}
    text = page.page(shown)
    assert "| p50 in ms | beside 10 | beside 1000 |\n|---|---|---|\n| create | 2 | 3 |\n" in text
    assert "## Growth" not in page.page(document())


def test_a_quick_run_is_marked_and_a_whole_one_is_not() -> None:
    assert "**A quick run" in page.page(document(quick=True))
    assert "**A quick run" not in page.page(document())


def test_writing_and_checking_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "out.json", tmp_path / "performance.md"
    source.write_text(json.dumps(document()))
    words = [str(source), "--output", str(target)]
    assert page.main([*words, "--check"]) == 1
    assert page.main(words) == 0
    assert page.main([*words, "--check"]) == 0
    target.write_text(target.read_text() + "more\n")
    assert page.main([*words, "--check"]) == 1
    assert "run this without --check" in capsys.readouterr().err


def test_a_document_of_another_shape_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "out.json"
    source.write_text(json.dumps({**document(), "schema": 3}))
    assert page.main([str(source), "--output", str(tmp_path / "page.md")]) == 1
    assert "schema 3, not 2" in capsys.readouterr().err


def test_the_page_in_docs_is_what_its_document_says() -> None:
    pair = [str(ROOT / "docs" / "performance.json"), "--output", str(ROOT / "docs" / "performance.md")]
    assert page.main([*pair, "--check"]) == 0
