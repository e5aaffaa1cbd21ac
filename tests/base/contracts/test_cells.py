"""What the events of a cell amount to."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from sandlot.contracts.cell_result import CHART, TABLE, fold
from sandlot.contracts.cells import (
    LARGEST_CELL,
    Begun,
    Cell,
    CellStatus,
    Cleared,
    Displayed,
    Finished,
    InputAsked,
    Raised,
    Resulted,
    Spilled,
    Streamed,
    StreamName,
)
from sandlot.contracts.contexts import ContextSpec
from sandlot.contracts.errors import InvalidSpec

OUT, ERR = StreamName.STDOUT, StreamName.STDERR


def test_everything_of_a_cell_is_in_its_result() -> None:
    shown = Displayed({"text/plain": "p", "image/png": "aGk="}, display_id="d")
    value = Resulted({"text/plain": "7"}, execution_count=3)
    raised = Raised("E", "v", ("line",))
    events = (Begun(3), Streamed(OUT, "a"), Streamed(ERR, "b"), InputAsked(), shown, value, raised)
    found = fold((*events, Finished(CellStatus.ERROR, 3, 0.5, 9)))
    assert (found.stdout, found.stderr, found.text, found.ok) == ("a", "b", "a7", False)
    assert found.bundles == (shown.data, value.data)
    assert found.representations("image/png") == ("aGk=",)
    assert found.error == raised
    told = found.to_json()
    assert (told["status"], told["durationMs"], told["droppedBytes"], told["executionCount"]) == (
        "error",
        500.0,
        9,
        3,
    )
    assert told["displays"][0]["displayId"] == "d"
    assert told["spilled"] is None
    assert told["error"] == {"name": "E", "value": "v", "traceback": ["line"]}


def test_data_of_charts_and_tables_is_found_where_it_is_an_object() -> None:
    chart, table = {"version": 1, "axes": []}, {"version": 1, "rows": []}
    shown = Displayed({CHART: chart, "text/plain": "p"}), Displayed({CHART: "none", TABLE: [1]})
    found = fold((*shown, Resulted({TABLE: table}), Finished(CellStatus.OK)))
    assert (found.charts, found.tables) == ((chart,), (table,))


def test_where_all_output_is_comes_with_the_result() -> None:
    place = Spilled(PurePosixPath("/tmp/a"), 9, is_whole=False)
    found = fold((Begun(1), Finished(CellStatus.OK, 1, 0.5, 3, spilled=place)))
    assert found.spilled == place
    assert found.to_json()["spilled"] == {"path": "/tmp/a", "size": 9, "isWhole": False}


def test_an_update_takes_the_place_of_what_was_shown() -> None:
    first, other = Displayed({"text/plain": "1"}, display_id="a"), Displayed({"text/plain": "2"})
    later = Displayed({"text/plain": "3"}, display_id="a", update=True)
    stranger = Displayed({"text/plain": "4"}, display_id="b", update=True)
    found = fold((first, other, later, stranger, Finished(CellStatus.OK)))
    assert [each.data["text/plain"] for each in found.displays] == ["3", "2"]


def test_clearing_takes_effect_at_once_or_with_the_next_output() -> None:
    before, after = Streamed(OUT, "a"), Streamed(OUT, "b")
    end = Finished(CellStatus.OK)
    assert fold((before, Cleared(), end)).stdout == ""
    assert fold((before, Cleared(wait=True), end)).stdout == "a"
    assert fold((before, Cleared(wait=True), after, end)).stdout == "b"


def test_a_cell_without_an_end_has_died() -> None:
    found = fold((Begun(1),))
    assert found.status is CellStatus.DIED
    assert found.detail


def test_what_is_no_cell_and_no_context_is_refused() -> None:
    with pytest.raises(InvalidSpec):
        Cell("x" * (LARGEST_CELL + 1))
    with pytest.raises(InvalidSpec):
        Cell(b"1")  # type: ignore[arg-type]
    with pytest.raises(InvalidSpec):
        Cell("print('\ud800')")
    for language in ("", "Py thon", "x" * 40):
        with pytest.raises(InvalidSpec):
            ContextSpec(language=language)
    with pytest.raises(InvalidSpec):
        ContextSpec(workdir=PurePosixPath("../x"))
    with pytest.raises(InvalidSpec):
        ContextSpec(env={"": "x"})
