"""What a client says on a WebSocket of cells: one JSON object a message, about a cell that it has named.

`{"cell", "code", ...}` asks for a cell, with the fields of a request for one; `{"cell", "answer"}` gives it
the line that it asks for; `{"cell", "interrupt": true}` interrupts it. What it hears are the lines of
`cell_events`, each with the name of its cell, one or more in a message; an empty line is a sign of life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple, Union

from sandlot.contracts.cells import Cell
from sandlot.contracts.errors import InvalidSpec

from . import contexts
from .fields import Fields, body_of, object_from

PROTOCOL = "sandlot.cells.v1"
"""The subprotocol that says so."""

LONGEST_NAME = 64
"""Characters of the name of a cell."""


@dataclass(frozen=True)
class Answer:
    """The line that a cell asked for."""

    text: str


@dataclass(frozen=True)
class Interrupt:
    """The cell is to be interrupted."""


def asking(name: str, cell: Cell) -> str:
    """The message that asks for *cell* by a new *name*."""
    return _written(name, contexts.cell_to_json(cell))


def answering(name: str, text: str) -> str:
    """The message that gives the cell *name* its line."""
    return _written(name, {"answer": text})


def interrupting(name: str) -> str:
    """The message that interrupts the cell *name*."""
    return _written(name, {"interrupt": True})


def parted(message: str) -> Tuple[str, Dict[str, Any]]:
    """The name of the cell that *message* is about, and what is said of it. Raises InvalidSpec."""
    value = object_from(message.encode("utf-8", "surrogatepass"))
    name = Fields(value, "message").text("cell")
    if not 0 < len(name) <= LONGEST_NAME:
        raise InvalidSpec(f"the name of a cell has 1 to {LONGEST_NAME} characters, not {len(name)}")
    del value["cell"]
    return name, value


def is_asking(value: Mapping[str, Any]) -> bool:
    """Whether what is said of a cell asks for it."""
    return "answer" not in value and "interrupt" not in value


def said_from(value: Mapping[str, Any]) -> Union[Answer, Interrupt]:
    """What is said of a cell that was asked for. Raises InvalidSpec that names the field."""
    fields = Fields(value, "message")
    if fields.has("answer"):
        text = fields.text("answer")
        fields.end()
        return Answer(contexts.answer_from({"text": text}))
    if not fields.flag("interrupt"):
        raise fields.wrong("interrupt", "means nothing: leave the message out")
    fields.end()
    return Interrupt()


def _written(name: str, value: Dict[str, Any]) -> str:
    return body_of({"cell": name, **value}).decode("ascii")
