from __future__ import annotations

import pytest

from sandlot.testing.conformance import report
from sandlot.testing.ledger import EngineFacts, Ledger, Record, from_json, summary

FACTS = EngineFacts("mine", "root", "namespace", works=True, enforced=("seccomp",), features=("files",))


def record(
    suite: str = "hostile", case: str = "F01", outcome: str = "held", expected: str = "held"
) -> Record:
    return Record(suite, "mine", "root", case, outcome, expected, 0.5, title="reading")


def test_a_book_comes_back_from_its_text() -> None:
    book = Ledger([record(), record(case="P01")], [FACTS])
    assert from_json(book.to_json()) == book


def test_the_text_does_not_depend_on_the_order_of_the_tests() -> None:
    one = Ledger([record(), record(case="P01")], [FACTS])
    other = Ledger([record(case="P01"), record()], [FACTS])
    assert one.to_json() == other.to_json()


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"schema": 2}', '{"schema": 1}', '{"schema": 1, "engines": [{}], "records": []}']
)
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="sandlot report"):
        from_json(text)


def test_an_engine_is_known_once_per_kind_of_host() -> None:
    book = Ledger()
    for _ in range(2):
        book.know(FACTS)
    book.know(EngineFacts("mine", "user", "namespace", works=True))
    assert [facts.host for facts in book.facts] == ["root", "user"]


def test_the_summary_counts_what_was_executed() -> None:
    book = Ledger(
        [
            record(),
            record(case="R02", outcome="refused", expected="refused"),
            record("control", outcome="broken"),
        ]
    )
    assert summary(book) == [
        "mine as root: 2 hostile executed (1 held, 1 refused); 1 control executed (1 broken)"
    ]


def test_the_page_holds_every_case_and_says_what_did_not_run() -> None:
    user = EngineFacts("mine", "user", "namespace", works=True)
    book = Ledger([record(), record(case="R02", outcome="refused", expected="refused")], [FACTS, user])
    text = report.page(book)
    assert "| F01 | reading | held | not run |" in text
    assert "| R02 | reading | refused | not run |" in text
    assert "| files | yes | refused |" in text
    assert "| seccomp | holds |  |" in text
    assert "2 (1 by refusal)" in text


def test_an_engine_whose_boxes_are_elsewhere_is_explained_and_has_no_verdicts() -> None:
    remote = EngineFacts("remote", "root", "namespace", works=True, features=("files",))
    text = report.page(Ledger([record()], [FACTS, remote]))
    assert "`remote` makes its boxes on a server" in text
    assert "| files | yes | yes |" in text
    assert "| F01 | reading | held |\n" in text
    assert "`remote`" not in report.page(Ledger([record()], [FACTS]))


def test_a_cause_cannot_break_out_of_its_table() -> None:
    broken = EngineFacts("mine", "root", "vm", works=False, cause="no | here\nnor there")
    assert "does not: no \\| here nor there |" in report.page(Ledger([], [broken]))


def test_a_page_is_written_checked_and_refused_from_a_red_run(tmp_path: pytest.TempPathFactory) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    green, red, page = folder / "green.json", folder / "red.json", folder / "engines.md"
    green.write_text(Ledger([record()], [FACTS]).to_json())
    red.write_text(Ledger([record(outcome="broken")], [FACTS]).to_json())
    assert report.main([str(green), "--output", str(page), "--check"]) == 1
    assert report.main([str(green), "--output", str(page)]) == 0
    assert report.main([str(green), "--output", str(page), "--check"]) == 0
    assert report.main([str(red), "--output", str(page)]) == 1
