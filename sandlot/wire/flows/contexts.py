"""Contexts: opened, listed, asked and closed; cells with their events as they happen."""

from __future__ import annotations

from typing import List, Optional, Tuple

from sandlot.contracts.cells import Cell, CellEvent, Finished
from sandlot.contracts.contexts import (
    Completions,
    ContextEnding,
    ContextSpec,
    HistoryEntry,
    Inspection,
    Judgement,
)
from sandlot.contracts.errors import ConnectionLost, NotFound, TimedOut
from sandlot.contracts.events import Failed
from sandlot.contracts.result import error_of
from sandlot.wire import contexts as wire
from sandlot.wire.cell_events import CellReader, TellableEvent
from sandlot.wire.contexts import ContextRow, Question
from sandlot.wire.events import NDJSON
from sandlot.wire.http import Head

from .exchange import (
    QUIET,
    WORKING,
    Ask,
    Flow,
    Stream,
    accepted,
    asking,
    refusal,
    sandbox_target,
    understood,
    value_of,
)

DEFAULT = "default"
"""The name of a sandbox's default context, which a POST makes where it is missing."""

_ONE_WAIT = 30.0  # seconds: below what proxies between us cut off as idle


def create(sandbox: str, spec: ContextSpec) -> Flow[ContextRow]:
    """Start an interpreter; answers when it can run cells."""
    request = asking("POST", sandbox_target(sandbox, "contexts"), wire.context_spec_to_json(spec))
    return value_of(accepted((yield Ask(request, patience=WORKING)), 201), wire.context_row_from)


def listing(sandbox: str) -> Flow[Tuple[ContextRow, ...]]:
    """Those that were opened and not closed."""
    answer = yield Ask(asking("GET", sandbox_target(sandbox, "contexts")))
    return value_of(accepted(answer, 200), wire.context_rows_from)


def close(sandbox: str, context: str) -> Flow[None]:
    """End one; that it is gone already is fine."""
    answer = yield Ask(asking("DELETE", sandbox_target(sandbox, "contexts", context)), patience=WORKING)
    if answer.head.status != 204 and not isinstance(refusal(answer), NotFound):
        raise refusal(answer)


def run(sandbox: str, context: str, cell: Cell) -> Stream[TellableEvent]:
    """*cell* in *context*; closing the connection interrupts it."""
    where = sandbox_target(sandbox, "contexts", context, "run")
    return Stream(asking("POST", where, wire.cell_to_json(cell), accept=NDJSON), CellEvents)


def answer(sandbox: str, context: str, text: str) -> Flow[None]:
    """Give the running cell the line it asked for."""
    where = sandbox_target(sandbox, "contexts", context, "answer")
    accepted((yield Ask(asking("POST", where, wire.answer_to_json(text)))), 204)


def interrupt(sandbox: str, context: str) -> Flow[None]:
    """Interrupt the running cell."""
    accepted((yield Ask(asking("POST", sandbox_target(sandbox, "contexts", context, "interrupt")))), 204)


def restart(sandbox: str, context: str) -> Flow[ContextRow]:
    """End the interpreter and start another in its place."""
    request = asking("POST", sandbox_target(sandbox, "contexts", context, "restart"))
    return value_of(accepted((yield Ask(request, patience=WORKING)), 200), wire.context_row_from)


# Questions wait for the cells before them, however long those take.


def complete(sandbox: str, context: str, code: str, cursor: int) -> Flow[Completions]:
    """What could come at *cursor*."""
    where = sandbox_target(sandbox, "contexts", context, "complete")
    told = wire.question_to_json(Question(code, cursor))
    return value_of(
        accepted((yield Ask(asking("POST", where, told), patience=None)), 200), wire.completions_from
    )


def inspect(sandbox: str, context: str, question: Question) -> Flow[Inspection]:
    """What is known of the name at its cursor."""
    where = sandbox_target(sandbox, "contexts", context, "inspect")
    told = wire.question_to_json(question)
    return value_of(
        accepted((yield Ask(asking("POST", where, told), patience=None)), 200), wire.inspection_from
    )


def is_complete(sandbox: str, context: str, code: str) -> Flow[Judgement]:
    """Whether *code* can run as it stands."""
    where = sandbox_target(sandbox, "contexts", context, "is-complete")
    told = wire.code_to_json(code)
    return value_of(
        accepted((yield Ask(asking("POST", where, told), patience=None)), 200), wire.judgement_from
    )


def history(sandbox: str, context: str, most: int) -> Flow[Tuple[HistoryEntry, ...]]:
    """The last *most* cells that were kept."""
    where = sandbox_target(sandbox, "contexts", context, "history", query=[("most", str(most))])
    return value_of(accepted((yield Ask(asking("GET", where), patience=None)), 200), wire.history_from)


def ended(sandbox: str, context: str) -> Flow[Optional[ContextEnding]]:
    """How it ended, once it has; None when it is not known any more. Asks anew every half minute."""
    query = [("waitSeconds", f"{_ONE_WAIT:.3f}")]
    where = sandbox_target(sandbox, "contexts", context, query=query)
    while True:
        answer = yield Ask(asking("GET", where), patience=_ONE_WAIT + QUIET)
        if answer.head.status == 200:
            ending = value_of(answer, wire.context_row_from).ending
            if ending is not None:
                return ending
            continue
        error = refusal(answer)
        if isinstance(error, NotFound):
            return None
        if not isinstance(error, TimedOut):
            raise error


def told(event: TellableEvent) -> CellEvent:
    """*event* itself. Raises the error of one that tells why there is no cell."""
    if isinstance(event, Failed):
        raise error_of(event)
    return event


class CellEvents:
    """Understands the events of one cell; they end with Finished, or the error that is raised."""

    def __init__(self, _head: Head) -> None:
        """Begin."""
        self.is_complete = False
        self._reader = CellReader()

    def feed(self, data: bytes) -> List[TellableEvent]:
        """As Items.feed; kinds of event that are unknown here are passed over."""
        found = understood(lambda: self._reader.feed(data))
        self.is_complete = self.is_complete or any(isinstance(each, (Finished, Failed)) for each in found)
        return found

    def finish(self) -> None:
        """As Items.finish."""
        if not self.is_complete:
            raise ConnectionLost("the connection ended before the cell did; whether it ran on is unknown")
