"""What a cell tells, as the messages that Jupyter has for it: types and contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandlot.contracts.cells import (
    Begun,
    Cell,
    CellEvent,
    CellStatus,
    Cleared,
    Displayed,
    Evaluated,
    Finished,
    InputAsked,
    Raised,
    Resulted,
    Streamed,
    Suggested,
)
from sandlot.contracts.errors import SandlotError

from .message import Message

Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Telling:
    """A message to be: its type and content."""

    kind: str
    content: Mapping[str, Any]


def telling_of(event: CellEvent, cell: Cell) -> Telling | None:
    """What *event* of *cell* is on iopub; None for what is told elsewhere, or not at all."""
    if isinstance(event, Begun):
        begun = {"code": cell.code, "execution_count": event.execution_count}
        return None if cell.silent else Telling("execute_input", begun)
    if isinstance(event, Streamed):
        return Telling("stream", {"name": event.stream.value, "text": event.text})
    if isinstance(event, Displayed):
        return None if event.paged else _display(event)
    if isinstance(event, Resulted):
        return Telling("execute_result", {"execution_count": event.execution_count, **_bundle(event)})
    if isinstance(event, Raised):
        return Telling("error", error_of(event))
    if isinstance(event, Cleared):
        return Telling("clear_output", {"wait": event.wait})
    return None


def input_request(event: InputAsked) -> Telling:
    """The question that goes to the client whose cell asks."""
    return Telling("input_request", {"prompt": event.prompt, "password": event.password})


def status(state: str) -> Telling:
    """The kernel is starting, busy, idle, restarting or dead."""
    return Telling("status", {"execution_state": state})


def error_of(raised: Raised) -> Content:
    """The three fields of an exception; a traceback's lines are joined by line ends, so they have none."""
    lines = [line.removesuffix("\n") for line in raised.traceback]
    return {"ename": raised.name, "evalue": raised.value, "traceback": lines}


def failure_of(end: Finished, raised: Raised | None) -> Raised | None:
    """Why the cell that ended so failed; None when it did not. *raised* is what it told itself."""
    if end.status is CellStatus.OK:
        return None
    if raised is not None and end.status is not CellStatus.DIED:
        return raised
    name, value = _UNTOLD[end.status]
    told = f"{value}: {end.detail}" if end.detail else value
    return Raised(name, told, (f"{name}: {told}",))


class Outcome:
    """What the events of a cell amount to in the reply to its execute_request."""

    def __init__(self, execution_count: int) -> None:
        """Nothing was told; what ends without an end has died."""
        self.end = Finished(CellStatus.DIED, execution_count)
        self.raised: Raised | None = None
        self._expressions: Content = {}
        self._payload: dict[str, Content] = {}

    def add(self, event: CellEvent) -> None:
        """Take the next event."""
        if isinstance(event, Finished):
            self.end = event
        elif isinstance(event, Raised):
            self.raised = event
        elif isinstance(event, Evaluated):
            self._expressions[event.name] = _value(event)
        elif isinstance(event, Displayed) and event.paged:
            self._payload["page"] = {"source": "page", "data": dict(event.data), "start": 0}
        elif isinstance(event, Suggested):
            told = {"text": event.code, "replace": event.replace}
            self._payload["set_next_input"] = {"source": "set_next_input", **told}

    @property
    def failure(self) -> Raised | None:
        """Why the cell failed; None when it did not."""
        return failure_of(self.end, self.raised)

    @property
    def reply(self) -> Content:
        """The content of the reply."""
        count = {"execution_count": self.end.execution_count}
        rest = {"user_expressions": self._expressions, "payload": list(self._payload.values())}
        failure = self.failure
        if failure is None:
            return {"status": "ok", **count, **rest}
        return {"status": "error", **count, **error_of(failure), **rest}


def reply_to(kind: str) -> str:
    """The type of the reply to a request of the type *kind*."""
    return kind.removesuffix("_request") + "_reply"


def refusal_of(message: Message, error: SandlotError) -> Telling | None:
    """What a request is told that came to nothing because of *error*; None for what is no request."""
    if not message.kind.endswith("_request"):
        return None
    return Telling(reply_to(message.kind), refused(type(error).__name__, error.message))


def refused(name: str, why: str) -> Content:
    """The reply to a request that came to nothing because of *why*."""
    return {"status": "error", "ename": name, "evalue": why, "traceback": [f"{name}: {why}"]}


def aborted(execution_count: int) -> Content:
    """The reply to a cell that was not run because one before it failed."""
    return {"status": "aborted", "execution_count": execution_count, "user_expressions": {}, "payload": []}


_UNTOLD = {
    CellStatus.ERROR: ("Error", "the cell failed and did not say how"),
    CellStatus.INTERRUPTED: ("KeyboardInterrupt", "the cell was interrupted"),
    CellStatus.TIMEOUT: ("TimedOut", "the cell took longer than it may"),
    CellStatus.DIED: ("KernelDied", "the interpreter ended while it ran this cell"),
}


def _value(found: Evaluated) -> Content:
    if found.error is not None:
        return {"status": "error", **error_of(found.error)}
    return {"status": "ok", **_bundle(found)}


def _display(shown: Displayed) -> Telling:
    transient = {} if shown.display_id is None else {"display_id": shown.display_id}
    kind = "update_display_data" if shown.update else "display_data"
    return Telling(kind, {**_bundle(shown), "transient": transient})


def _bundle(shown: Displayed | Resulted | Evaluated) -> Content:
    return {"data": dict(shown.data), "metadata": dict(shown.metadata)}
