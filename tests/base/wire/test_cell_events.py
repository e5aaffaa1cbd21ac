from __future__ import annotations

from contextlib import suppress
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.cells import (
    Begun,
    CellStatus,
    Cleared,
    Displayed,
    Evaluated,
    Finished,
    InputAsked,
    Raised,
    Resulted,
    Streamed,
    StreamName,
    Suggested,
)
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.events import Failed
from sandlot.wire import cell_events as wire
from sandlot.wire.cell_events import (
    CellReader,
    TellableEvent,
    cell_event_from,
    cell_event_to_json,
    ndjson,
    sse,
)
from sandlot.wire.events import NDJSON_ALIVE, SSE_ALIVE
from tests.base.wire.hostile_json import names, near, texts, values

counts = st.integers(0, 10**6)
bundles = st.dictionaries(
    st.sampled_from(["text/plain", "text/html", "application/json"]), values, max_size=2
)
cell_events: st.SearchStrategy[TellableEvent] = (
    st.builds(Begun, counts)
    | st.builds(Streamed, st.sampled_from(StreamName), texts)
    | st.builds(Displayed, bundles, bundles, st.none() | texts, st.booleans(), st.booleans())
    | st.builds(Suggested, texts, st.booleans())
    | st.builds(Evaluated, texts, bundles, bundles, st.none() | st.builds(Raised, texts, texts))
    | st.builds(Resulted, bundles, bundles, counts)
    | st.builds(InputAsked, texts, st.booleans())
    | st.builds(Raised, names, texts, st.lists(texts, max_size=2).map(tuple))
    | st.builds(Cleared, st.booleans())
    | st.builds(Failed, names, texts)
    | st.builds(
        Finished,
        st.sampled_from(CellStatus),
        counts,
        st.integers(0, 10**9).map(lambda ms: ms / 1000),
        counts,
        st.none() | texts,
    )
)
EVENTS = (
    Displayed({"image/png": "aGk="}, {"image/png": {"width": 1}}, "d"),
    Raised("ValueError", "no", ("a", "b")),
    Finished(CellStatus.ERROR, 3, 0.25, 7, "x"),
    Resulted({"text/plain": "1"}, {}, 3),
)
SOUND = [cell_event_to_json(each) for each in EVENTS]


def read(data: bytes, *, server_sent: bool, cut: int = 7) -> List[TellableEvent]:
    reader = CellReader(server_sent=server_sent)
    pieces = [data[start : start + cut] for start in range(0, len(data), cut)]
    return [event for piece in pieces for event in reader.feed(piece)]


@given(st.lists(cell_events, max_size=4), st.booleans(), st.integers(1, 40))
def test_events_arrive_as_they_were_however_they_are_cut(
    sent: List[TellableEvent], server_sent: bool, cut: int
) -> None:
    write, alive = (sse, SSE_ALIVE) if server_sent else (ndjson, NDJSON_ALIVE)
    data = b"".join(write(number, event, cell="ab") + alive for number, event in enumerate(sent))
    assert read(data, server_sent=server_sent, cut=cut) == sent


def test_the_two_forms_say_the_same() -> None:
    line = ndjson(3, Begun(7), cell="ab")
    assert line == b'{"id":3,"event":"begun","executionCount":7,"cell":"ab"}\n'
    assert sse(3, Begun(7), cell="ab") == b"id: 3\nevent: begun\ndata: " + line + b"\n"


def test_what_a_newer_server_adds_is_passed_over() -> None:
    assert read(b'{"event":"cheered"}\n\n', server_sent=False) == []


def test_output_that_is_no_unicode_is_made_readable() -> None:
    assert read(ndjson(1, Streamed(StreamName.STDOUT, "a\udcff")), server_sent=False) == [
        Streamed(StreamName.STDOUT, "a\ufffd")
    ]


def test_a_picture_of_megabytes_fits_and_an_endless_line_is_refused() -> None:
    shown = Displayed({"image/png": "A" * (8 * 2**20)})
    assert read(ndjson(1, shown), server_sent=False, cut=2**20) == [shown]
    with pytest.raises(InvalidSpec, match="longer than"):
        read(b"x" * (wire.LONGEST_LINE + 1), server_sent=False, cut=2**20)


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b'{"id":1}',
        b'{"event":"display","data":[]}',
        b'{"event":"finished","status":"fine"}',
        b'{"event":"error","name":"E","traceback":"x"}',
        b'{"event":"begun","executionCount":-1}',
    ],
)
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(InvalidSpec):
        read(line + b"\n", server_sent=False)


@given(st.sampled_from(SOUND).flatmap(near))
def test_a_damaged_event_is_read_or_refused_as_invalid(value: Dict[str, Any]) -> None:
    with suppress(InvalidSpec):
        cell_event_from(value)


@given(st.binary(), st.booleans())
def test_whatever_comes_is_read_or_refused_as_invalid(data: bytes, server_sent: bool) -> None:
    with suppress(InvalidSpec):
        read(data, server_sent=server_sent)
