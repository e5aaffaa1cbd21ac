"""Contexts over a connection that is a script: cells, answers, questions, and what is raised."""

from __future__ import annotations

from typing import Any, List

import pytest

from sandlot.contracts.cells import (
    Begun,
    Cell,
    CellStatus,
    Finished,
    InputAsked,
    Resulted,
    Streamed,
    StreamName,
)
from sandlot.contracts.contexts import ContextEnd, ContextEnding, ContextFacts, ContextSpec, HistoryEntry
from sandlot.contracts.errors import (
    Conflict,
    ConnectionLost,
    Forbidden,
    InvalidSpec,
    NotFound,
    PoolExhausted,
    SandlotError,
)
from sandlot.contracts.events import Failed
from sandlot.sdk.async_context import AsyncContext
from sandlot.sdk.context import Context
from sandlot.transport.memory import Asked, Script, acceptance, frame, response, spoken
from sandlot.wire import contexts as wire
from sandlot.wire import json_object
from sandlot.wire.cell_events import TellableEvent, ndjson
from sandlot.wire.cell_messages import PROTOCOL
from sandlot.wire.contexts import ContextRow
from sandlot.wire.problems import problem, status_of
from sandlot.wire.websocket import MAX_MESSAGE, Close
from tests.base.client.test_clients import broken
from tests.base.client.twins import AsyncTwin, Twin, said

FACTS = ContextFacts("python", "3.11", "plain")
TOLD = wire.row_to_json(ContextRow("c1", ContextSpec(), FACTS))
OK = Finished(CellStatus.OK, 1, 0.5)


def lines_of(*events: TellableEvent) -> bytes:
    return b"".join(ndjson(number, event) for number, event in enumerate(events, 1))


def streamed(*events: TellableEvent) -> bytes:
    """The answer to a cell that goes by a request."""
    return response(200, lines_of(*events), content_type="application/x-ndjson")


def spoken_of(*events: TellableEvent) -> List[bytes]:
    """A WebSocket on which these are told: the first alone, after a sign of life, the others at once."""
    first, rest = lines_of(*events[:1]), lines_of(*events[1:])
    return [acceptance(PROTOCOL), frame("\n"), frame(first.decode()), frame(rest.decode())]


def asked_on(asked: Asked) -> List[Any]:
    """What a client said on a WebSocket that its server left."""
    assert asked.headers["upgrade"] == "websocket"
    return [json_object.parse(each.encode()) for each in spoken(asked.body) if isinstance(each, str)]


def held(twin: Twin, script: Script) -> Any:
    """A context as people hold it."""
    found = twin.wait(twin.box(script).open_context(ContextSpec(env={"A": "b"})))
    assert (found.id, found.facts, found.spec.env) == ("c1", FACTS, {"A": "b"})
    return (AsyncContext if isinstance(twin, AsyncTwin) else Context)(found, None)


def test_a_cell_is_folded_from_its_events(twin: Twin) -> None:
    events = Begun(1), Streamed(StreamName.STDOUT, "a\n"), Resulted({"text/plain": "1"}, {}, 1), OK
    script = Script(said(201, TOLD), spoken_of(*events))
    result = twin.wait(held(twin, script).run("print('a'); 1", timeout="2s"))
    assert (result.text, result.ok, result.execution_count, result.duration) == ("a\n1", True, 1, 0.5)
    assert script.asked[1].target == "/v1/sandboxes/box/contexts/c1/channel"
    [asked] = asked_on(script.asked[1])
    assert asked == {"cell": "1", "code": "print('a'); 1", "timeoutSeconds": 2.0}


@pytest.mark.parametrize("refusal", [NotFound("no such route"), Forbidden("no"), InvalidSpec("what is that")])
def test_cells_go_by_requests_where_a_server_has_no_websocket(twin: Twin, refusal: SandlotError) -> None:
    refused = said(status_of(refusal), problem(refusal, "r1"))
    cells = [streamed(Begun(1), OK), streamed(Begun(2), OK)]
    script = Script(said(201, TOLD), refused, *cells)
    context = held(twin, script)
    assert [twin.wait(context.run(code)).ok for code in "ab"] == [True, True]
    assert [each.target.rpartition("/")[2] for each in script.asked[1:]] == ["channel", "run", "run"]
    assert [json_object.parse(each.body)["code"] for each in script.asked[2:]] == ["a", "b"]


def test_a_websocket_is_tried_again_where_its_refusal_says_little(twin: Twin) -> None:
    busy, missing = PoolExhausted("too many"), NotFound("no such context")
    refused, unknown = (said(status_of(each), problem(each, "r1")) for each in (busy, missing))
    script = Script(
        said(201, TOLD), refused, streamed(Begun(1), OK), unknown, unknown, spoken_of(Begun(2), OK)
    )
    context = held(twin, script)
    assert twin.wait(context.run("a")).ok
    with pytest.raises(NotFound, match="no such context"):
        twin.wait(context.run("b"))
    assert twin.wait(context.run("c")).ok
    asked = [each.target.rpartition("/")[2] for each in script.asked[1:]]
    assert asked == ["channel", "run", "channel", "run", "channel"]


def test_a_cell_too_long_for_a_message_goes_by_a_request(twin: Twin) -> None:
    script = Script(said(201, TOLD), streamed(Begun(1), OK))
    assert twin.wait(held(twin, script).run("#" * MAX_MESSAGE)).ok
    assert script.asked[1].target.endswith("/run")


def test_what_a_cell_asks_is_answered_by_a_function(twin: Twin) -> None:
    asked = InputAsked("name? ", password=True)
    script = Script(said(201, TOLD), spoken_of(Begun(1), asked, OK), response(204))
    context = held(twin, script)
    assert twin.wait(context.run("1", on_input=lambda each: f"{each.prompt}{each.password}")).ok
    assert json_object.parse(script.asked[2].body) == {"text": "name? True"}
    assert asked_on(script.asked[1])[0]["allowInput"] is True
    assert script.asked[2].target.endswith("/contexts/c1/answer")


def test_an_answer_that_comes_too_late_leaves_the_end_to_be_told(twin: Twin) -> None:
    late = Conflict("no cell asks")
    refused = said(status_of(late), problem(late, "r1"))
    end = Finished(CellStatus.TIMEOUT)
    script = Script(said(201, TOLD), spoken_of(Begun(1), InputAsked(), end), refused)
    result = twin.wait(held(twin, script).run("1", on_input=lambda _: ""))
    assert result.status is CellStatus.TIMEOUT


def test_events_come_one_by_one(twin: Twin) -> None:
    script = Script(said(201, TOLD), spoken_of(Begun(1), OK))
    assert twin.all(held(twin, script).stream("1", allow_input=True)) == [Begun(1), OK]


def test_what_goes_wrong_is_raised(twin: Twin) -> None:
    with pytest.raises(Conflict, match="too many"):
        twin.wait(held(twin, Script(said(201, TOLD), spoken_of(Failed("conflict", "too many")))).run("1"))
    begun, none = frame(lines_of(Begun(1)).decode()), said(404, {})
    closed = [acceptance(), begun, frame(Close(1012, "it stops"))]
    with pytest.raises(ConnectionLost, match=r"1012 it stops.*before the cell did"):
        twin.wait(held(twin, Script(said(201, TOLD), closed)).run("1"))
    with pytest.raises(ConnectionLost):
        twin.wait(held(twin, Script(said(201, TOLD), [acceptance(), begun])).run("1"))
    lost = broken(ndjson(1, Begun(1)))
    with pytest.raises(ConnectionLost, match="before the cell did"):
        twin.wait(held(twin, Script(said(201, TOLD), none, [*lost, b"0\r\n\r\n"])).run("1"))
    with pytest.raises(InvalidSpec):
        twin.wait(held(twin, Script(said(201, TOLD))).run("1", timeout="soon"))


def test_questions_are_about_the_end_unless_they_say_where(twin: Twin) -> None:
    answers = [{"matches": ["abc"], "start": 0, "end": 2}, {"found": False}, {"status": "complete"}]
    script = Script(said(201, TOLD), *(said(200, each) for each in answers))
    context = held(twin, script)
    assert twin.wait(context.complete("ab")).matches == ("abc",)
    assert not twin.wait(context.inspect("ab", 1, detail=1)).found
    assert twin.wait(context.is_complete("ab")).status.value == "complete"
    bodies = [json_object.parse(each.body) for each in script.asked[1:]]
    assert bodies == [{"code": "ab", "cursor": 2}, {"code": "ab", "cursor": 1, "detail": 1}, {"code": "ab"}]


def test_the_rest_of_a_context_is_asked_over_http(twin: Twin) -> None:
    cells = {"cells": [{"executionCount": 1, "code": "1"}]}
    script = Script(said(201, TOLD), said(200, cells), response(204), said(200, TOLD), response(204))
    context = held(twin, script)
    assert twin.wait(context.history(5)) == (HistoryEntry(1, "1"),)
    twin.wait(context.interrupt())
    twin.wait(context.restart())
    twin.wait(context.close())
    assert [each.method for each in script.asked] == ["POST", "GET", "POST", "POST", "DELETE"]


def test_those_of_a_box_are_listed_and_one_needs_no_request(twin: Twin) -> None:
    ended = wire.row_to_json(ContextRow("c2", ContextSpec(), FACTS, ContextEnding(ContextEnd.EXITED, "x")))
    script = Script(said(200, {"contexts": [TOLD, ended]}), said(200, ended), spoken_of(Begun(1), OK))
    box = twin.box(script)
    first, second = twin.wait(box.contexts())
    assert (first.id, second.id) == ("c1", "c2")
    assert twin.wait(second.ended()) == ContextEnding(ContextEnd.EXITED, "x")
    default = twin.wait(box.default_context())
    assert twin.some(default.run(Cell("1")), 1) == [Begun(1)]
    assert script.asked[2].target == "/v1/sandboxes/box/contexts/default/channel"
