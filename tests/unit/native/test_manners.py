"""What streams tell of commands and of cells besides their events, and how much of them is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandlot.contracts.cells import Begun, CellEvent, CellStatus, Displayed, Finished, Streamed, StreamName
from sandlot.contracts.events import Exited, Failed, Reason, Started, Stdout
from sandlot.server.dialects.native.manners import CELLS, COMMANDS, size_in_cell
from sandlot.wire.cell_events import MOST_TEXT, cell_event_to_json
from sandlot.wire.events import NDJSON, SSE


def test_a_commands_first_event_tells_its_name_and_its_last_the_box() -> None:
    facts = {"engine": "memory"}

    def told(number: int, event: Started | Stdout | Exited) -> bytes:
        return COMMANDS.written(NDJSON, number, event, "ab", facts)

    assert told(1, Started("p")) == b'{"id":1,"event":"started","process":"p","exec":"ab"}\n'
    assert told(2, Stdout(b"\xff")) == b'{"id":2,"event":"stdout","base64":"/w=="}\n'
    assert b'"engine":"memory"' in told(3, Exited(Reason.EXITED, 0))


def test_a_cells_first_event_tells_its_name_and_its_context() -> None:
    facts = {"context": "c1"}
    told = CELLS.written(NDJSON, 1, Begun(2), "ab", facts)
    assert told == b'{"id":1,"event":"begun","executionCount":2,"cell":"ab","context":"c1"}\n'
    later = CELLS.written(SSE, 2, Failed("conflict", "no"), "ab", facts)
    assert (
        later == b'id: 2\nevent: failed\ndata: {"id":2,"event":"failed","code":"conflict","message":"no"}\n\n'
    )


def test_long_output_of_a_cell_is_told_in_pieces() -> None:
    text = "x" * (2 * MOST_TEXT + 1)
    parts = list(CELLS.parts(Streamed(StreamName.STDERR, text)))
    assert [len(part.text) for part in parts if isinstance(part, Streamed)] == [MOST_TEXT, MOST_TEXT, 1]
    assert all(part == Streamed(StreamName.STDERR, part.text) for part in parts if isinstance(part, Streamed))


def test_a_cell_that_nobody_read_was_interrupted() -> None:
    end = CELLS.ended(1.5)
    assert isinstance(end, Finished)
    assert (end.status, end.duration, CELLS.is_last(end)) == (CellStatus.INTERRUPTED, 1.5, True)
    assert not CELLS.is_last(Begun(1))


@pytest.mark.parametrize(
    "data",
    [
        {"text/plain": "x" * 5000, "image/png": "A" * 9000},
        {"application/json": {"rows": [[1, 2.5, None, "a"]] * 500}},
        {"application/json": ["\u00e4" * 10] * 100},
    ],
)
def test_what_is_shown_counts_about_as_it_is_written(data: dict[str, Any]) -> None:
    event: CellEvent = Displayed(data)
    written = len(json.dumps(cell_event_to_json(event)))
    assert written / 8 < size_in_cell(event) < written * 4
