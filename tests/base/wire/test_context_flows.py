from __future__ import annotations

from typing import Any

import pytest

from sandlot.contracts.cells import Begun, Cell, CellStatus, Finished
from sandlot.contracts.contexts import (
    Checkpoint,
    Completeness,
    Completions,
    ContextEnd,
    ContextEnding,
    ContextFacts,
    ContextSpec,
    HistoryEntry,
    Inspection,
    Judgement,
)
from sandlot.contracts.errors import BoxDied, Conflict, ConnectionLost, NotFound, TimedOut
from sandlot.contracts.events import Failed
from sandlot.wire import contexts as wire
from sandlot.wire import json_object
from sandlot.wire.cell_events import ndjson
from sandlot.wire.contexts import ContextRow, Question
from sandlot.wire.flows import checkpoints, contexts
from sandlot.wire.flows.exchange import Answer
from sandlot.wire.http import Head
from tests.base.wire.operations import Operation
from tests.base.wire.test_flows import answered, driven, fed

ROW = ContextRow("c1", ContextSpec(), ContextFacts("python", "3.11", "plain", "", ("await",)))
ENDED = ContextRow("c1", ContextSpec(), ROW.facts, ContextEnding(ContextEnd.EXITED, "exit code 3"))
THERE = "/v1/sandboxes/box/contexts"
KEPT = Checkpoint("k1")
ASKED = {"code": "ab", "cursor": 1}
FOUND = Inspection(True, {"text/plain": "x"})
OPERATIONS = (
    Operation(
        "create",
        lambda: contexts.create("box", ContextSpec(env={"A": "1"})),
        ("POST", THERE),
        201,
        {"language": "python", "env": {"A": "1"}},
        wire.row_to_json(ROW),
        ROW,
    ),
    Operation(
        "listing",
        lambda: contexts.listing("box"),
        ("GET", THERE),
        200,
        None,
        {"contexts": [wire.row_to_json(ROW)]},
        (ROW,),
    ),
    Operation("close", lambda: contexts.close("box", "c1"), ("DELETE", THERE + "/c1")),
    Operation(
        "answer",
        lambda: contexts.answer("box", "c1", "a"),
        ("POST", THERE + "/c1/answer"),
        said={"text": "a"},
    ),
    Operation("interrupt", lambda: contexts.interrupt("box", "c1"), ("POST", THERE + "/c1/interrupt")),
    Operation(
        "restart",
        lambda: contexts.restart("box", "c1"),
        ("POST", THERE + "/c1/restart"),
        200,
        None,
        wire.row_to_json(ROW),
        ROW,
    ),
    Operation(
        "complete",
        lambda: contexts.complete("box", "c1", "ab", 1),
        ("POST", THERE + "/c1/complete"),
        200,
        ASKED,
        {"matches": ["abc"], "start": 0, "end": 1},
        Completions(("abc",), 0, 1),
    ),
    Operation(
        "inspect",
        lambda: contexts.inspect("box", "c1", Question("ab", 1, 1)),
        ("POST", THERE + "/c1/inspect"),
        200,
        {**ASKED, "detail": 1},
        wire.inspection_to_json(FOUND),
        FOUND,
    ),
    Operation(
        "is_complete",
        lambda: contexts.is_complete("box", "c1", "if 1:"),
        ("POST", THERE + "/c1/is-complete"),
        200,
        {"code": "if 1:"},
        {"status": "incomplete", "indent": "    "},
        Judgement(Completeness.INCOMPLETE, "    "),
    ),
    Operation(
        "history",
        lambda: contexts.history("box", "c1", 5),
        ("GET", THERE + "/c1/history?most=5"),
        200,
        None,
        {"cells": [{"executionCount": 1, "code": "1"}]},
        (HistoryEntry(1, "1"),),
    ),
    Operation(
        "ended",
        lambda: contexts.ended("box", "c1"),
        ("GET", THERE + "/c1?waitSeconds=30.000"),
        200,
        None,
        wire.row_to_json(ENDED),
        ENDED.ending,
    ),
    Operation(
        "fork",
        lambda: checkpoints.fork("box", "c1"),
        ("POST", THERE + "/c1/fork"),
        201,
        None,
        wire.row_to_json(ROW),
        ROW,
    ),
    Operation(
        "take",
        lambda: checkpoints.take("box", "c1"),
        ("POST", THERE + "/c1/checkpoints"),
        201,
        None,
        {"id": "k1"},
        KEPT,
    ),
    Operation(
        "checkpoints",
        lambda: checkpoints.listing("box", "c1"),
        ("GET", THERE + "/c1/checkpoints"),
        200,
        None,
        {"checkpoints": [{"id": "k1"}]},
        (KEPT,),
    ),
    Operation(
        "rollback",
        lambda: checkpoints.rollback("box", "c1", KEPT),
        ("POST", THERE + "/c1/rollback"),
        200,
        {"checkpoint": "k1"},
        wire.row_to_json(ROW),
    ),
    Operation(
        "discard",
        lambda: checkpoints.discard("box", "c1", KEPT),
        ("DELETE", THERE + "/c1/checkpoints/k1"),
    ),
)
of_each = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


@of_each
def test_each_operation_asks_what_the_api_says(operation: Operation) -> None:
    request = next(operation.flow()).request
    assert (request.method, request.target) == operation.asked
    assert (json_object.parse(request.body) if request.body else None) == operation.said


@of_each
def test_each_operation_understands_its_answer(operation: Operation) -> None:
    assert driven(operation.flow(), Answer(Head(operation.status), operation.body)) == operation.value


@of_each
def test_each_operation_raises_what_the_server_says(operation: Operation) -> None:
    with pytest.raises(Conflict, match="too many wait"):
        driven(operation.flow(), answered(Conflict("too many wait")))


def test_one_that_is_gone_has_ended_and_is_closed() -> None:
    assert driven(contexts.ended("box", "c1"), answered(NotFound("gone"))) is None
    assert driven(contexts.close("box", "c1"), answered(NotFound("gone"))) is None


def test_its_end_is_asked_for_again_until_it_comes() -> None:
    patience = answered(TimedOut("lives"))
    end = Answer(Head(200), json_object.render(wire.row_to_json(ENDED)))
    alive = Answer(Head(200), json_object.render(wire.row_to_json(ROW)))
    assert driven(contexts.ended("box", "c1"), patience, alive, end) == ENDED.ending


def test_a_cells_events_end_with_its_end() -> None:
    stream = contexts.run("box", "default", Cell("1"))
    assert (stream.request.method, stream.request.target) == ("POST", THERE + "/default/run")
    lines = [ndjson(1, Begun(1), cell="x"), ndjson(2, Finished(CellStatus.OK, 1))]
    assert fed(stream, *lines) == [Begun(1), Finished(CellStatus.OK, 1)]
    with pytest.raises(ConnectionLost, match="before the cell did"):
        fed(contexts.run("box", "c1", Cell("1")), lines[0])
    with pytest.raises(ConnectionLost, match="cannot be understood"):
        fed(contexts.run("box", "c1", Cell("1")), b'{"event":"begun"}\n')


def test_a_cell_that_cannot_be_raises_why() -> None:
    (failed,) = fed(contexts.run("box", "c1", Cell("1")), ndjson(1, Failed("box_died", "it died")))
    with pytest.raises(BoxDied, match="it died"):
        contexts.told(failed)
    kept: Any = contexts.told(Begun(1))
    assert kept == Begun(1)
