"""What a client says on a WebSocket of cells is read as it was written, and nothing else is."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from sandlot.contracts.cells import LARGEST_ANSWER, Cell
from sandlot.contracts.errors import InvalidSpec
from sandlot.wire import cell_messages as wire
from sandlot.wire.contexts import cell_from
from sandlot.wire.fields import body_of
from tests.base.wire.hostile_json import objects, texts
from tests.base.wire.test_contexts import cells


@given(cells)
def test_a_cell_is_read_as_it_was_asked_for(cell: Cell) -> None:
    name, value = wire.parted(wire.asking("7", cell))
    assert (name, wire.is_asking(value), cell_from(value)) == ("7", True, cell)


@given(texts)
def test_what_is_said_of_a_cell_is_read_as_it_was_written(text: str) -> None:
    name, value = wire.parted(wire.answering("a", text))
    assert (name, wire.is_asking(value), wire.said_from(value)) == ("a", False, wire.Answer(text))
    name, value = wire.parted(wire.interrupting("b"))
    assert (name, wire.is_asking(value), wire.said_from(value)) == ("b", False, wire.Interrupt())


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ("{}", "cell is missing"),
        ('{"cell": 1}', "must be text"),
        ('{"cell": ""}', "1 to 64"),
        (f'{{"cell": "{"x" * 65}"}}', "1 to 64"),
        ('{"cell": "\\ud800"}', "surrogate"),
        ('{"cell": "a", "answer": 1}', "must be text"),
        ('{"cell": "a", "answer": null, "interrupt": null}', "interrupt is missing"),
        ('{"cell": "a", "answer": "b", "code": "c"}', "unknown field"),
        (f'{{"cell": "a", "answer": "{"x" * (LARGEST_ANSWER + 1)}"}}', "is longer than"),
        ('{"cell": "a", "interrupt": false}', "means nothing"),
        ('{"cell": "a", "interrupt": true, "answer": null, "code": ""}', "unknown field"),
    ],
)
def test_what_is_no_message_is_refused_with_its_reason(message: str, why: str) -> None:
    with pytest.raises(InvalidSpec, match=why):
        wire.said_from(wire.parted(message)[1])


@given(objects("cell", "code", "answer", "interrupt"))
def test_nothing_but_an_error_comes_of_junk(value: Any) -> None:
    with suppress(InvalidSpec):
        wire.said_from(wire.parted(body_of({"cell": "a", **value}).decode())[1])
