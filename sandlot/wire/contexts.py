"""Contexts, cells and questions as JSON: what is asked of an interpreter over the network, and its answers.

What is asked is read strictly; answers are read so that newer servers may tell more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from sandlot.contracts.cells import DEFAULT_OUTPUT, LARGEST_ANSWER, Cell
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
from sandlot.contracts.paths import WORKSPACE, identifier, sandbox_path, variables
from sandlot.contracts.quantity import Bytes

from .cell_events import by_name, readable
from .commands import timeout_of
from .fields import Fields
from .results import names_of


@dataclass(frozen=True)
class ContextRow:
    """A context as its owner sees it; `ending` is None while it lives.

    The variables of its spec are not told: a key that may only read sees no secrets.
    """

    id: str
    spec: ContextSpec
    facts: ContextFacts
    ending: Optional[ContextEnding] = None


@dataclass(frozen=True)
class Question:
    """What is asked about *code* at *cursor*; *detail* 1 asks an inspection for the source too."""

    code: str
    cursor: int
    detail: int = 0


def context_spec_to_json(spec: ContextSpec) -> Dict[str, Any]:
    """*spec* as a request's fields."""
    told: Dict[str, Any] = {"language": spec.language}
    if spec.workdir != WORKSPACE:
        told["workdir"] = str(spec.workdir)
    if spec.env:
        told["env"] = dict(spec.env)
    return told


def context_spec_from(value: object) -> ContextSpec:
    """The context that a request's *value* asks for; raises InvalidSpec that names the field."""
    fields = Fields(value)
    usual = ContextSpec()
    workdir = fields.file_name("workdir", str(usual.workdir))
    env = fields.read("env", lambda: variables(fields.mapping("env")))
    path = fields.read("workdir", lambda: sandbox_path(workdir))
    language = fields.text("language", usual.language)
    spec = fields.read("language", lambda: ContextSpec(language, path, env))
    fields.end()
    return spec


def row_to_json(row: ContextRow) -> Dict[str, Any]:
    """*row* as its reader gets it."""
    facts, ending = row.facts, row.ending
    return {
        "id": row.id,
        "language": row.spec.language,
        "workdir": str(row.spec.workdir),
        "facts": {
            "language": facts.language,
            "version": facts.version,
            "shell": facts.shell,
            "shellVersion": facts.shell_version,
            "features": list(facts.features),
        },
        "ending": None if ending is None else {"end": ending.end.value, "detail": ending.detail},
    }


def context_row_from(value: object) -> ContextRow:
    """The context that *value* tells. Raises InvalidSpec."""
    fields = Fields(value)
    told = fields.inner("facts")
    workdir = fields.file_name("workdir", str(WORKSPACE))
    return ContextRow(
        fields.read("id", lambda: identifier(fields.text("id"))),
        ContextSpec(fields.text("language"), fields.read("workdir", lambda: sandbox_path(workdir))),
        ContextFacts(
            readable(told, "language", ""),
            readable(told, "version", ""),
            readable(told, "shell", ""),
            readable(told, "shellVersion", ""),
            names_of(told, "features") if told.has("features") else (),
        ),
        _ending_from(fields.raw("ending")) if fields.has("ending") else None,
    )


def context_rows_from(value: object) -> Tuple[ContextRow, ...]:
    """The contexts of a sandbox. Raises InvalidSpec."""
    return tuple(context_row_from(item) for item in Fields(value).items("contexts"))


def cell_to_json(cell: Cell) -> Dict[str, Any]:
    """*cell* as a request's fields."""
    told: Dict[str, Any] = {"code": cell.code}
    told["timeoutSeconds"] = None if cell.timeout is None else float(cell.timeout)
    if not cell.store_history:
        told["storeHistory"] = False
    if cell.silent:
        told["silent"] = True
    if cell.allow_input:
        told["allowInput"] = True
    if cell.output_limit != DEFAULT_OUTPUT:
        told["outputLimit"] = int(cell.output_limit)
    if cell.expressions:
        told["expressions"] = dict(cell.expressions)
    return told


def cell_from(value: object) -> Cell:
    """The cell that a request's *value* asks for; raises InvalidSpec that names the field."""
    fields = Fields(value)
    limit = fields.amount("outputLimit", Bytes.parse) if fields.has("outputLimit") else DEFAULT_OUTPUT
    code, timeout = fields.text("code"), timeout_of(fields)
    store_history = fields.flag("storeHistory", default=True)
    silent, allow_input = fields.flag("silent", default=False), fields.flag("allowInput", default=False)
    expressions = by_name(fields, "expressions")
    fields.end()
    return Cell(code, timeout, store_history, silent, allow_input, limit, expressions)


def answer_to_json(text: str) -> Dict[str, Any]:
    """One line for a cell that asked for input."""
    return {"text": text}


def answer_from(value: object) -> str:
    """The line that a request's *value* gives; raises InvalidSpec."""
    fields = Fields(value)
    text = fields.text("text")
    fields.end()
    if len(text) > LARGEST_ANSWER:
        raise fields.wrong("text", f"is longer than {LARGEST_ANSWER} characters", shown=False)
    return text


def question_to_json(question: Question) -> Dict[str, Any]:
    """A question about a place in code."""
    told: Dict[str, Any] = {"code": question.code, "cursor": question.cursor}
    return {**told, "detail": question.detail} if question.detail else told


def question_from(value: object, *, has_detail: bool = False) -> Question:
    """The question that a request's *value* asks, by default about the end; raises InvalidSpec."""
    fields = Fields(value)
    code = Cell(fields.text("code")).code
    cursor = fields.count("cursor", len(code), most=len(code))
    detail = fields.count("detail", 0, most=1) if has_detail else 0
    fields.end()
    return Question(code, cursor, detail)


def code_to_json(code: str) -> Dict[str, Any]:
    """Code that may be complete or not."""
    return {"code": code}


def code_from(value: object) -> str:
    """The code of a request that holds nothing else; raises InvalidSpec."""
    fields = Fields(value)
    code = Cell(fields.text("code")).code
    fields.end()
    return code


def completions_to_json(found: Completions) -> Dict[str, Any]:
    """What could stand in place of a part of the code."""
    told: Dict[str, Any] = {"matches": list(found.matches), "start": found.start, "end": found.end}
    return {**told, "metadata": dict(found.metadata)}


def completions_from(value: object) -> Completions:
    """What *value* tells. Raises InvalidSpec."""
    fields = Fields(value)
    matches, start = fields.texts("matches"), fields.count("start")
    return Completions(matches, start, fields.count("end", least=start), by_name(fields, "metadata"))


def inspection_to_json(found: Inspection) -> Dict[str, Any]:
    """What is known of a name."""
    return {"found": found.found, "data": dict(found.data), "metadata": dict(found.metadata)}


def inspection_from(value: object) -> Inspection:
    """What *value* tells. Raises InvalidSpec."""
    fields = Fields(value)
    return Inspection(fields.flag("found"), by_name(fields, "data"), by_name(fields, "metadata"))


def judgement_to_json(judgement: Judgement) -> Dict[str, Any]:
    """Whether code is complete."""
    return {"status": judgement.status.value, "indent": judgement.indent}


def judgement_from(value: object) -> Judgement:
    """What *value* tells. Raises InvalidSpec."""
    fields = Fields(value)
    text = fields.text("status")
    try:
        status = Completeness(text)
    except ValueError:
        raise fields.wrong("status", "is unknown") from None
    return Judgement(status, fields.text("indent", ""))


def history_to_json(entries: Tuple[HistoryEntry, ...]) -> Dict[str, Any]:
    """The cells that were kept."""
    told: List[Any] = [{"executionCount": each.execution_count, "code": each.code} for each in entries]
    return {"cells": told}


def history_from(value: object) -> Tuple[HistoryEntry, ...]:
    """What *value* tells. Raises InvalidSpec."""
    cells = [Fields(item, "cell") for item in Fields(value).items("cells")]
    return tuple(HistoryEntry(cell.count("executionCount"), readable(cell, "code")) for cell in cells)


def _ending_from(value: object) -> ContextEnding:
    fields = Fields(value, "ending")
    text = fields.text("end")
    try:
        end = ContextEnd(text)
    except ValueError:
        raise fields.wrong("end", "is unknown") from None
    return ContextEnding(end, readable(fields, "detail", ""))
