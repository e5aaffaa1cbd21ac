from __future__ import annotations

from contextlib import suppress
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.events import Event, Exited, Reason, Returned, Started, Stdout
from sandlot.contracts.handler import LARGEST_VALUE
from sandlot.wire import events as wire
from sandlot.wire.events import EventReader, Received, event_to_json, ndjson, sse
from tests.base.wire.hostile_json import events, near
from tests.base.wire.test_requests import carried

EVENTS = Started("1"), Stdout(b"a"), Returned([1]), Exited(Reason.EXITED, 0)
SOUND = [event_to_json(each) for each in EVENTS]


def read(data: bytes, *, server_sent: bool, cut: int = 7) -> List[Received]:
    reader = EventReader(server_sent=server_sent)
    pieces = [data[start : start + cut] for start in range(0, len(data), cut)]
    return [received for piece in pieces for received in reader.feed(piece)]


@given(st.lists(events, max_size=4), st.booleans(), st.integers(1, 40))
def test_events_arrive_as_they_were_however_they_are_cut(
    sent: List[Event], server_sent: bool, cut: int
) -> None:
    write, alive = (sse, wire.SSE_ALIVE) if server_sent else (ndjson, wire.NDJSON_ALIVE)
    data = b"".join(write(number, event, exec="ab") + alive for number, event in enumerate(sent))
    found = read(data, server_sent=server_sent, cut=cut)
    assert [received.event for received in found] == sent
    assert [received.number for received in found] == list(range(len(sent)))
    assert all(received.fields["exec"] == "ab" for received in found)


def test_output_is_text_where_it_can_be() -> None:
    assert event_to_json(Stdout("ä".encode())) == {"event": "stdout", "text": "ä"}
    assert event_to_json(Stdout(b"\xff")) == {"event": "stdout", "base64": "/w=="}


def test_the_largest_value_fits_a_line_and_tells_its_size() -> None:
    value = ["\x01" * ((LARGEST_VALUE - 4) // 6)]
    (received,) = read(ndjson(2**62, Returned(value)), server_sent=False, cut=65_536)
    assert received.event == Returned(value)
    assert isinstance(received.event, Returned)
    assert received.event.size > LARGEST_VALUE - 10


def test_the_two_forms_say_the_same() -> None:
    line = ndjson(3, Started("p"), exec="ab")
    assert line == b'{"id":3,"event":"started","process":"p","exec":"ab"}\n'
    assert sse(3, Started("p"), exec="ab") == b"id: 3\nevent: started\ndata: " + line + b"\n"


def test_changes_of_a_watch_are_events_too() -> None:
    (received,) = read(ndjson(1, {"path": "/a", "kind": "created"}), server_sent=False)
    assert received.event is None
    assert received.fields == {"id": 1, "event": "change", "path": "/a", "kind": "created"}


def test_what_a_newer_server_adds_is_passed_over() -> None:
    assert [each.event for each in read(b'{"event":"cheered"}\n', server_sent=False)] == [None]
    stream = b': hello\nretry: 5\nid: 1\nevent: x\ndata: {"event":\ndata: "cheered"}\r\n\r\n'
    assert [each.fields for each in read(stream, server_sent=True)] == [{"event": "cheered"}]


def test_the_longest_output_event_fits_a_line() -> None:
    line = ndjson(2**62, Stdout(b"\x01" * wire.MOST_DATA), engine="e" * 1000)
    (received,) = read(line, server_sent=False, cut=65_536)
    assert received.event == Stdout(b"\x01" * wire.MOST_DATA)


@pytest.mark.parametrize("server_sent", [False, True])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_an_endless_line_is_refused(server_sent: bool, end: bytes) -> None:
    with pytest.raises(InvalidSpec, match="longer than"):
        read(b"data: " + b"x" * wire.LONGEST_LINE + end, server_sent=server_sent, cut=262_144)


def test_an_endless_event_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="an event is longer"):
        read((b"data: " + b"x" * 1000 + b"\n") * 3300, server_sent=True, cut=65_536)


@pytest.mark.parametrize(
    "line", [b"<html>", b"[]", b'{"id":1}', b'{"id":"1","event":"started","process":"p"}']
)
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(InvalidSpec):
        read(line + b"\n", server_sent=False)


@given(st.sampled_from(SOUND).flatmap(near))
def test_a_damaged_event_is_read_or_refused_as_invalid(value: Dict[str, Any]) -> None:
    with suppress(InvalidSpec):
        wire.event_from(value)


@given(st.binary(), st.booleans())
def test_whatever_comes_is_read_or_refused_as_invalid(data: bytes, server_sent: bool) -> None:
    with suppress(InvalidSpec):
        read(data, server_sent=server_sent)


def test_every_reason_has_a_word() -> None:
    for reason in Reason:
        assert carried(event_to_json(Exited(reason, 1)))["reason"] == reason.value
