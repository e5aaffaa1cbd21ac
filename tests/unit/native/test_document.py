from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from sandlot.contracts.errors import InvalidSpec
from sandlot.server.dialects.native import asked
from sandlot.server.dialects.native import models_of_contexts as models
from sandlot.server.dialects.native.operation import paths, schemas, served
from sandlot.server.dialects.native.routes import operations
from sandlot.wire import contexts, problems, values
from tests.unit.native.calls import Calls

TABLE = operations()
UNKNOWN = {"nobodyKnowsThis": 1}


READERS: dict[str, Callable[[], object]] = {
    "spec": lambda: values.spec_from(UNKNOWN),
    "limits": lambda: values.spec_from({"limits": UNKNOWN}),
    "command": lambda: values.command_from({"cmd": ["true"], **UNKNOWN}),
    "run": lambda: values.run_from({"cmd": ["true"], **UNKNOWN}),
    "tty": lambda: values.size_from(UNKNOWN),
    "context": lambda: contexts.context_spec_from(UNKNOWN),
    "cell": lambda: contexts.cell_from({"code": "", **UNKNOWN}),
    "answer": lambda: contexts.answer_from({"text": "", **UNKNOWN}),
    "code": lambda: contexts.code_from({"code": "", **UNKNOWN}),
    "completion": lambda: contexts.question_from({"code": "", **UNKNOWN}),
    "inspection": lambda: contexts.question_from({"code": "", **UNKNOWN}, has_detail=True),
}


def _read(what: str) -> set[str]:
    """The fields that the strict readers of `wire.values` know: their refusal of another one lists them."""
    with pytest.raises(InvalidSpec) as refused:
        READERS[what]()
    return set(refused.value.message.partition("use ")[2].split(", "))


@pytest.mark.parametrize(
    ("what", "model"),
    [
        ("spec", asked.AskedSandbox),
        ("limits", asked.AskedLimits),
        ("command", asked.AskedCommand),
        ("run", asked.AskedRun),
        ("tty", asked.AskedTerminal),
        ("context", models.AskedContext),
        ("cell", models.AskedCell),
        ("answer", models.AskedAnswer),
        ("code", models.AskedCode),
        ("completion", models.AskedCompletion),
        ("inspection", models.AskedInspection),
    ],
)
def test_the_document_names_exactly_the_fields_that_are_read(what: str, model: type[BaseModel]) -> None:
    assert set(model.model_json_schema()["properties"]) == _read(what)


def test_every_row_is_served_and_documented() -> None:
    rows = {(each.verb, each.path) for each in TABLE}
    assert len(rows) == len(TABLE)
    told = {(verb.upper(), path) for path, item in paths(TABLE).items() for verb in item}
    routed = {(verb, route.path) for route in served(TABLE) for verb in route.methods or ()}
    assert told == routed == rows


def test_operations_have_names_of_their_own() -> None:
    names = [each.document()["operationId"] for each in TABLE]
    assert len(set(names)) == len(names)


def test_every_reference_leads_somewhere() -> None:
    known = {f"#/components/schemas/{name}" for name in (*schemas(TABLE), "Problem")}
    text = json.dumps([paths(TABLE), schemas(TABLE)])
    assert set(re.findall(r'"\$ref": "([^"]+)"', text)) <= known


def test_every_row_tells_the_problems_it_can_answer_with() -> None:
    always = {"400", "401", "403", "413", "429", "500", "503"}
    for row in TABLE:
        answers = row.document()["responses"]
        assert always <= set(answers)
        if "{" in row.path:
            assert "404" in answers
        for status, answer in answers.items():
            if int(status) >= 400:
                assert set(answer["content"]) == {problems.MEDIA_TYPE}
    assert all("Retry-After" in row.document()["responses"]["429"]["headers"] for row in TABLE)


def test_a_row_asks_for_the_scope_its_verb_needs() -> None:
    of_all_owners = {"/v1/pool": "metrics"}
    for row in TABLE:
        if row.verb == "GET":
            assert row.scope == of_all_owners.get(row.path, "read")
    assert {row.scope for row in TABLE if row.verb != "GET"} == {"write"}


def test_the_server_tells_the_document(call: Calls) -> None:
    told: dict[str, Any] = call("GET", "/openapi.json").json
    assert told["openapi"].startswith("3.1")
    assert set(paths(TABLE)) <= set(told["paths"])
    assert set(schemas(TABLE)) <= set(told["components"]["schemas"])
