from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, Callable, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.cells import LARGEST_ANSWER, LARGEST_CELL, Cell
from sandlot.contracts.contexts import (
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
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.spec import DEFAULT_TIMEOUT
from sandlot.wire import contexts as wire
from sandlot.wire.contexts import ContextRow, Question
from tests.base.wire.hostile_json import amounts, names, near, objects, seconds, texts, values, variables
from tests.base.wire.test_requests import carried

counts = st.integers(0, 10**6)
specs = st.builds(
    ContextSpec,
    st.from_regex(r"[a-z][a-z0-9+_-]{0,9}", fullmatch=True),
    st.sampled_from(["/workspace", "/tmp", "/workspace/a b"]).map(PurePosixPath),
    variables,
)
cells = st.builds(
    Cell,
    texts,
    st.none() | seconds,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    output_limit=amounts,
    expressions=st.dictionaries(texts, texts, max_size=2),
)
rows = st.builds(
    ContextRow,
    names,
    specs.map(lambda spec: ContextSpec(spec.language, spec.workdir)),
    st.builds(ContextFacts, texts, texts, texts, texts, st.lists(names, max_size=2).map(tuple)),
    st.none() | st.builds(ContextEnding, st.sampled_from(ContextEnd), texts),
)
bundles = st.dictionaries(names, values, max_size=2)
completions = st.builds(
    lambda matches, start, length, more: Completions(matches, start, start + length, more),
    st.lists(texts, max_size=3).map(tuple),
    counts,
    counts,
    bundles,
)
histories = st.lists(st.builds(HistoryEntry, counts, texts), max_size=3).map(tuple)
SOUND_CELL = {
    "code": "1",
    "expressions": {"a": "1"},
    "timeoutSeconds": 2,
    "allowInput": True,
    "outputLimit": "1Mi",
    "silent": False,
}
SOUND_ROW = wire.row_to_json(
    ContextRow("c", ContextSpec(), ContextFacts("python", "3", "plain"), ContextEnding(ContextEnd.EXITED))
)


@given(specs)
def test_a_context_arrives_as_it_was_asked(spec: ContextSpec) -> None:
    assert wire.context_spec_from(carried(wire.context_spec_to_json(spec))) == spec


@given(cells)
def test_a_cell_arrives_as_it_was_asked(cell: Cell) -> None:
    assert wire.cell_from(carried(wire.cell_to_json(cell))) == cell


def test_a_cell_that_says_little_is_a_usual_one() -> None:
    assert wire.cell_from({"code": "x"}) == Cell("x")
    assert wire.cell_from({"code": "x"}).timeout == DEFAULT_TIMEOUT
    assert wire.context_spec_from({}) == ContextSpec()


@given(rows, completions, st.builds(Inspection, st.booleans(), bundles, bundles), histories)
def test_answers_arrive_as_they_were_told(
    row: ContextRow, completion: Completions, inspection: Inspection, history: Any
) -> None:
    assert wire.context_row_from(carried(wire.row_to_json(row))) == row
    assert wire.completions_from(carried(wire.completions_to_json(completion))) == completion
    assert wire.inspection_from(carried(wire.inspection_to_json(inspection))) == inspection
    assert wire.history_from(carried(wire.history_to_json(history))) == history


@given(st.sampled_from(Completeness), texts)
def test_a_judgement_arrives_as_it_was_told(status: Completeness, indent: str) -> None:
    judgement = Judgement(status, indent)
    assert wire.judgement_from(carried(wire.judgement_to_json(judgement))) == judgement


def test_a_question_is_about_the_end_unless_it_says_where() -> None:
    assert wire.question_from({"code": "abc"}) == Question("abc", 3)
    asked = Question("a\U0001f600c", 2, 1)
    assert wire.question_from(carried(wire.question_to_json(asked)), has_detail=True) == asked
    with pytest.raises(InvalidSpec, match="cursor"):
        wire.question_from({"code": "abc", "cursor": 4})
    with pytest.raises(InvalidSpec, match="detail"):
        wire.question_from({"code": "abc", "detail": 1})


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidSpec, match=f"{LARGEST_CELL} at most"):
        wire.cell_from({"code": " " * (LARGEST_CELL + 1)})
    with pytest.raises(InvalidSpec, match="longer than"):
        wire.answer_from({"text": " " * (LARGEST_ANSWER + 1)})
    assert wire.answer_from(wire.answer_to_json("a")) == "a"
    assert wire.code_from(wire.code_to_json("a")) == "a"


@pytest.mark.parametrize(
    ("read", "value", "field"),
    [
        (wire.judgement_from, {"status": "perhaps"}, "status"),
        (wire.context_row_from, {**SOUND_ROW, "ending": {"end": "bored"}}, "ending.end"),
        (wire.completions_from, {"matches": ["a"], "start": 2, "end": 1}, "end"),
        (wire.inspection_from, {"found": True, "data": []}, "data"),
        (wire.history_from, {"cells": [{"executionCount": 1}]}, "cell.code"),
        (wire.context_spec_from, {"language": "C++"}, "language"),
    ],
)
def test_what_cannot_be_is_refused_by_name(read: Callable[[object], object], value: Any, field: str) -> None:
    with pytest.raises(InvalidSpec, match=f"field {field} "):
        read(value)


READERS: Dict[str, Callable[[object], object]] = {
    "spec": wire.context_spec_from,
    "cell": wire.cell_from,
    "answer": wire.answer_from,
    "question": wire.question_from,
    "code": wire.code_from,
    "rows": wire.context_rows_from,
    "completions": wire.completions_from,
    "inspection": wire.inspection_from,
    "judgement": wire.judgement_from,
    "history": wire.history_from,
}
FIELDS = (
    "language",
    "workdir",
    "env",
    "code",
    "timeoutSeconds",
    "text",
    "cursor",
    "contexts",
    "matches",
    "start",
)


@given(st.sampled_from(sorted(READERS)), objects(*FIELDS, "end", "found", "data", "status", "cells"))
def test_whatever_comes_is_read_or_refused_as_invalid(what: str, value: Dict[str, Any]) -> None:
    with suppress(InvalidSpec):
        READERS[what](value)


@given(near(SOUND_CELL), near(SOUND_ROW))
def test_what_is_damaged_is_read_or_refused_as_invalid(cell: Dict[str, Any], row: Dict[str, Any]) -> None:
    with suppress(InvalidSpec):
        wire.cell_from(cell)
    with suppress(InvalidSpec):
        wire.context_row_from(row)
