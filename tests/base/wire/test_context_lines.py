"""Lines of contexts: what may be said is read, and whatever else comes is refused and nothing worse."""

from __future__ import annotations

import json
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
    InputAsked,
    Raised,
    Resulted,
    Streamed,
    StreamName,
    Suggested,
)
from sandlot.contracts.contexts import Completeness, Completions, ContextFacts, HistoryEntry, Judgement
from sandlot.wire import context_lines
from sandlot.wire.context_lines import Began, Done, Ready, Reply, request_line, told_from
from sandlot.wire.lines import LineError, LineReader

TABLE = [
    (
        '{"event":"ready","language":"python","version":"3.12.1","shell":"plain","shell_version":"","features":["await"]}',
        Ready(ContextFacts("python", "3.12.1", "plain", "", ("await",))),
    ),
    ('{"event":"begun","id":1,"count":2}', Began(1, Begun(2))),
    ('{"event":"done","id":1,"status":"error","count":2}', Done(1, CellStatus.ERROR, 2)),
    ('{"event":"text","stream":"stderr","text":"x"}', Streamed(StreamName.STDERR, "x")),
    (
        '{"event":"display","id":"a","update":true,"paged":false,"data":{"text/plain":"x"},"metadata":{"w":1}}',
        Displayed({"text/plain": "x"}, {"w": 1}, "a", update=True),
    ),
    ('{"event":"next","code":"x","replace":true}', Suggested("x", replace=True)),
    ('{"event":"value","name":"a","error":null,"data":{},"metadata":{}}', Evaluated("a")),
    (
        '{"event":"value","name":"a","error":{"name":"E","value":"v","traceback":[]}}',
        Evaluated("a", error=Raised("E", "v")),
    ),
    ('{"event":"result","count":3,"data":{},"metadata":{}}', Resulted({}, {}, 3)),
    ('{"event":"ask","prompt":"? ","password":true}', InputAsked("? ", password=True)),
    ('{"event":"error","name":"E","value":"v","traceback":["a","b"]}', Raised("E", "v", ("a", "b"))),
    ('{"event":"clear","wait":false}', Cleared()),
]

REFUSED = [
    "{}",
    "[]",
    '{"event":"text","stream":"stdlog","text":"x"}',
    '{"event":"text","stream":"stdout","text":5}',
    '{"event":"text","stream":"stdout","text":"\\ud800"}',
    '{"event":"text","stream":"stdout","text":"\\udc80"}',
    '{"event":"done","id":1,"status":"died","count":2}',
    '{"event":"done","id":-1,"status":"ok","count":2}',
    '{"event":"done","id":true,"status":"ok","count":2}',
    '{"event":"display","id":5,"update":true,"data":{},"metadata":{}}',
    '{"event":"display","id":null,"update":1,"data":{},"metadata":{}}',
    '{"event":"display","id":null,"update":true,"data":{"text/plain":5},"metadata":{}}',
    '{"event":"display","id":null,"update":true,"data":{"":"x"},"metadata":{}}',
    '{"event":"display","id":null,"update":true,"data":{"text/\\u0001":"x"},"metadata":{}}',
    '{"event":"error","name":"E","value":"v","traceback":["a",5]}',
    '{"event":"error","name":"E","value":"v","traceback":"a"}',
    '{"event":"value","name":"a","error":{"name":"E"}}',
    '{"event":"value","name":"a","error":"E"}',
    '{"event":"next","code":7,"replace":true}',
]


@pytest.mark.parametrize(("line", "told"), TABLE)
def test_what_may_be_said_is_read(line: str, told: object) -> None:
    assert told_from(line.encode()) == told


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_said_is_refused(line: str) -> None:
    with pytest.raises(LineError):
        told_from(line.encode())


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_NAMES = [
    "ready",
    "begun",
    "done",
    "reply",
    "text",
    "display",
    "result",
    "ask",
    "error",
    "clear",
    "next",
    "value",
    "x",
]
_FIELDS = ["id", "count", "status", "stream", "text", "data", "metadata", "update", "traceback", "features"]


@given(st.sampled_from(_NAMES), st.dictionaries(st.sampled_from(_FIELDS), _VALUES))
def test_anything_is_read_or_refused(event: str, fields: Dict[str, Any]) -> None:
    line = json.dumps({**fields, "event": event}).encode()
    try:
        told_from(line)
    except LineError:
        return


@given(st.binary(max_size=60))
def test_bytes_are_read_or_refused(line: bytes) -> None:
    with pytest.raises(LineError):
        told_from(line)


def _pieces(data: bytes, cuts: List[int]) -> List[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in zip(places, places[1:])]


@given(st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b""))), st.lists(st.integers(0)))
def test_lines_are_the_same_however_they_were_cut(lines: List[bytes], cuts: List[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    reader = LineReader(longest=16)
    found = [line for piece in _pieces(data, cuts) for line in reader.feed(piece)]
    assert found == [line for line in lines if line and not line.endswith(b"\x18")]


def test_a_line_beyond_the_longest_is_refused_before_its_end() -> None:
    reader = LineReader(longest=4)
    assert reader.feed(b"abcd\n") == [b"abcd"]
    reader.feed(b"abcd")
    with pytest.raises(LineError):
        reader.feed(b"e")


def test_a_request_is_one_line() -> None:
    line = request_line("execute", 7, code="a\nb\u2028")
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"do": "execute", "id": 7, "code": "a\nb\u2028"}


def test_answers_are_read() -> None:
    read = told_from(b'{"event":"reply","id":3,"matches":["ab"],"start":1,"end":2,"metadata":{}}')
    assert isinstance(read, Reply)
    assert context_lines.completions_from(read.value, "xa") == Completions(("ab",), 1, 2)
    assert context_lines.judgement_from({"status": "incomplete", "indent": "  "}) == Judgement(
        Completeness.INCOMPLETE, "  "
    )
    assert context_lines.history_from({"entries": [[1, "a"]]}) == (HistoryEntry(1, "a"),)
    found = context_lines.inspection_from({"found": True, "data": {"text/plain": "x"}, "metadata": {}})
    assert found.data == {"text/plain": "x"}


@pytest.mark.parametrize(
    "value",
    [
        {"matches": [], "start": 2, "end": 1, "metadata": {}},
        {"matches": [], "start": 0, "end": 9, "metadata": {}},
        {"matches": "ab", "start": 0, "end": 1, "metadata": {}},
    ],
)
def test_completions_beside_the_code_are_refused(value: Dict[str, Any]) -> None:
    with pytest.raises(LineError):
        context_lines.completions_from(value, "xa")


def test_odd_answers_are_refused() -> None:
    with pytest.raises(LineError):
        context_lines.judgement_from({"status": "perhaps"})
    for entry in ([1], [1, 2], "ab", {"count": 1, "code": "x"}):
        with pytest.raises(LineError):
            context_lines.history_from({"entries": [entry]})
