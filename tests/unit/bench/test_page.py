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
    assert "| one-shot spaced | 4 | 0 | 4 | 4 | 4.60 | 4.60 | 4.80 |  | p50 <= 1.1: not met; p99 <= 4" in text
    assert "| tti burst | 2 | 1 | 40 |" in text


def test_what_was_skipped_or_is_not_measured_yet_is_told() -> None:
    text = page.page(document())
    assert "- `exec` was skipped: no \\| engine works here\n" in text
    assert "- not measured yet: microVM clones\n" in text


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
    source.write_text(json.dumps({**document(), "schema": 2}))
    assert page.main([str(source), "--output", str(tmp_path / "page.md")]) == 1
    assert "schema 2, not 1" in capsys.readouterr().err


def test_the_page_in_docs_is_what_its_document_says() -> None:
    pair = [str(ROOT / "docs" / "performance.json"), "--output", str(ROOT / "docs" / "performance.md")]
    assert page.main([*pair, "--check"]) == 0
