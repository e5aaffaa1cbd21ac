"""Contexts over a connection that is a script: cells, answers, questions, and what is raised."""

from __future__ import annotations

from typing import Any

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
from sandlot.contracts.errors import Conflict, ConnectionLost, InvalidSpec
from sandlot.contracts.events import Failed
from sandlot.sdk.async_context import AsyncContext
from sandlot.sdk.context import Context
from sandlot.transport.memory import Script, response
from sandlot.wire import contexts as wire
from sandlot.wire import json_object
from sandlot.wire.cell_events import TellableEvent, ndjson
from sandlot.wire.contexts import ContextRow
from sandlot.wire.problems import problem, status_of
from tests.base.client.test_clients import broken
from tests.base.client.twins import AsyncTwin, Twin, said

FACTS = ContextFacts("python", "3.11", "plain")
TOLD = wire.row_to_json(ContextRow("c1", ContextSpec(), FACTS))
OK = Finished(CellStatus.OK, 1, 0.5)


def streamed(*events: TellableEvent) -> bytes:
    lines = b"".join(ndjson(number, event) for number, event in enumerate(events, 1))
    return response(200, lines, content_type="application/x-ndjson")


def held(twin: Twin, script: Script) -> Any:
    """A context as people hold it."""
    found = twin.wait(twin.box(script).open_context(ContextSpec(env={"A": "b"})))
    assert (found.id, found.facts, found.spec.env) == ("c1", FACTS, {"A": "b"})
    return (AsyncContext if isinstance(twin, AsyncTwin) else Context)(found, None)


def test_a_cell_is_folded_from_its_events(twin: Twin) -> None:
    events = Begun(1), Streamed(StreamName.STDOUT, "a\n"), Resulted({"text/plain": "1"}, {}, 1), OK
    script = Script(said(201, TOLD), streamed(*events))
    result = twin.wait(held(twin, script).run("print('a'); 1", timeout="2s"))
    assert (result.text, result.ok, result.execution_count, result.duration) == ("a\n1", True, 1, 0.5)
    assert json_object.parse(script.asked[1].body) == {"code": "print('a'); 1", "timeoutSeconds": 2.0}


def test_what_a_cell_asks_is_answered_by_a_function(twin: Twin) -> None:
    asked = InputAsked("name? ", password=True)
    script = Script(said(201, TOLD), streamed(Begun(1), asked, OK), response(204))
    context = held(twin, script)
    assert twin.wait(context.run("1", on_input=lambda each: f"{each.prompt}{each.password}")).ok
    assert json_object.parse(script.asked[2].body) == {"text": "name? True"}
    assert json_object.parse(script.asked[1].body)["allowInput"] is True
    assert script.asked[2].target.endswith("/contexts/c1/answer")


def test_an_answer_that_comes_too_late_leaves_the_end_to_be_told(twin: Twin) -> None:
    late = Conflict("no cell asks")
    refused = said(status_of(late), problem(late, "r1"))
    end = Finished(CellStatus.TIMEOUT)
    script = Script(said(201, TOLD), streamed(Begun(1), InputAsked(), end), refused)
    result = twin.wait(held(twin, script).run("1", on_input=lambda _: ""))
    assert result.status is CellStatus.TIMEOUT


def test_events_come_one_by_one(twin: Twin) -> None:
    script = Script(said(201, TOLD), streamed(Begun(1), OK))
    assert twin.all(held(twin, script).stream("1", allow_input=True)) == [Begun(1), OK]


def test_what_goes_wrong_is_raised(twin: Twin) -> None:
    with pytest.raises(Conflict, match="too many"):
        twin.wait(held(twin, Script(said(201, TOLD), streamed(Failed("conflict", "too many")))).run("1"))
    lost = broken(ndjson(1, Begun(1)))
    with pytest.raises(ConnectionLost, match="before the cell did"):
        twin.wait(held(twin, Script(said(201, TOLD), [*lost, b"0\r\n\r\n"])).run("1"))
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
    script = Script(said(200, {"contexts": [TOLD, ended]}), said(200, ended), streamed(Begun(1), OK))
    box = twin.box(script)
    first, second = twin.wait(box.contexts())
    assert (first.id, second.id) == ("c1", "c2")
    assert twin.wait(second.ended()) == ContextEnding(ContextEnd.EXITED, "x")
    default = twin.wait(box.default_context())
    assert twin.some(default.run(Cell("1")), 1) == [Begun(1)]
    assert script.asked[2].target == "/v1/sandboxes/box/contexts/default/run"
