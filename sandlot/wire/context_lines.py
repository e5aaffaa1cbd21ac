"""What a context and its host say to each other: one JSON object a line, each way.

Whatever comes from a context was written by a program of the user: it is read as hostile. A line that
is no JSON, or says something that cannot be, is a LineError: it costs the context its life, and nobody else
anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Union

from sandlot.contracts.cells import (
    LARGEST_ANSWER,
    LARGEST_CELL,
    Begun,
    CellEvent,
    CellStatus,
    Cleared,
    Displayed,
    Evaluated,
    InputAsked,
    Raised,
    Resulted,
    Streamed,
    StreamName,
    Suggested,
)
from sandlot.contracts.contexts import ContextFacts

from . import context_fields as fields
from . import json_object
from .lines import LineError

_DEEPEST = 64
_LONGEST_WORD = 256
_LONGEST_PROMPT = 65_536
_MOST_LINES = 2000
_STREAMS = {each.value: each for each in StreamName}
_STATUSES = {each.value: each for each in (CellStatus.OK, CellStatus.ERROR, CellStatus.INTERRUPTED)}


@dataclass(frozen=True)
class Ready:
    """The first line: the interpreter can run cells."""

    facts: ContextFacts


@dataclass(frozen=True)
class Refused:
    """In place of the first line: why there will be no interpreter."""

    message: str


@dataclass(frozen=True)
class Began:
    """The cell of request *id* runs."""

    id: int
    event: Begun


@dataclass(frozen=True)
class Done:
    """The cell of request *id* is over."""

    id: int
    status: CellStatus
    execution_count: int


@dataclass(frozen=True)
class Reply:
    """The answer to the question of request *id*; `error` says why there is none."""

    id: int
    value: Mapping[str, Any]
    error: Optional[str] = None


Told = Union[Ready, Refused, Began, Done, Reply, CellEvent]


def told_from(line: bytes) -> Told:
    """What a line of a context says. Raises LineError."""
    try:
        value = json_object.parse(line, max_depth=_DEEPEST)
    except json_object.JsonError as error:
        raise LineError(f"it sent a line that cannot be read: {error}") from None
    if b"\\ud" in line or b"\\uD" in line:
        _check_text(value)
    read = _READERS.get(str(value.get("event")))
    if read is None:
        raise LineError(f"it told the unknown event {value.get('event')!r:.60}")
    return read(value)


def _check_text(value: Mapping[str, Any]) -> None:
    """Refuse halves of surrogate pairs: who passes a text on could not encode it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise LineError("it sent text that is not valid Unicode") from None


def joined(texts: Sequence[Streamed]) -> Streamed:
    """Texts of one stream as one."""
    return texts[0] if len(texts) == 1 else Streamed(texts[0].stream, "".join(each.text for each in texts))


def request_line(do: str, number: int, **fields: Any) -> bytes:
    """A request to a context as a line."""
    return json_object.render({"do": do, "id": number, **fields}) + b"\n"


def _ready(value: Mapping[str, Any]) -> Ready:
    words = {
        name: fields.text(value, name, _LONGEST_WORD)
        for name in ("language", "version", "shell", "shell_version")
    }
    return Ready(
        ContextFacts(
            features=fields.texts(value, "features", fields.MOST_TYPES, _LONGEST_WORD),
            **words,
        )
    )


def _refused(value: Mapping[str, Any]) -> Refused:
    return Refused(fields.text(value, "message", _LONGEST_PROMPT))


def _began(value: Mapping[str, Any]) -> Began:
    return Began(fields.count(value, "id"), Begun(fields.count(value, "count")))


def _done(value: Mapping[str, Any]) -> Done:
    status = _STATUSES.get(str(value.get("status")))
    if status is None:
        raise LineError(f"it told the unknown status {value.get('status')!r:.60}")
    return Done(fields.count(value, "id"), status, fields.count(value, "count"))


def _reply(value: Mapping[str, Any]) -> Reply:
    error = None if value.get("error") is None else fields.text(value, "error")
    return Reply(fields.count(value, "id"), value, error)


def _streamed(value: Mapping[str, Any]) -> Streamed:
    stream = _STREAMS.get(str(value.get("stream")))
    if stream is None:
        raise LineError(f"it wrote to the unknown stream {value.get('stream')!r:.60}")
    return Streamed(stream, fields.text(value, "text"))


def _displayed(value: Mapping[str, Any]) -> Displayed:
    known = None if value.get("id") is None else fields.text(value, "id", _LONGEST_WORD)
    return Displayed(
        fields.bundle(value, "data"),
        fields.bundle(value, "metadata"),
        known,
        fields.flag(value, "update"),
        fields.flag(value, "paged"),
    )


def _resulted(value: Mapping[str, Any]) -> Resulted:
    return Resulted(
        fields.bundle(value, "data"),
        fields.bundle(value, "metadata"),
        fields.count(value, "count"),
    )


def _asked(value: Mapping[str, Any]) -> InputAsked:
    return InputAsked(fields.text(value, "prompt", _LONGEST_PROMPT), fields.flag(value, "password"))


def _raised(value: Mapping[str, Any]) -> Raised:
    lines = fields.texts(value, "traceback", _MOST_LINES)
    return Raised(fields.text(value, "name", _LONGEST_WORD), fields.text(value, "value"), lines)


def _suggested(value: Mapping[str, Any]) -> Suggested:
    return Suggested(fields.text(value, "code", LARGEST_CELL), fields.flag(value, "replace"))


def _evaluated(value: Mapping[str, Any]) -> Evaluated:
    name = fields.text(value, "name", LARGEST_ANSWER)
    if value.get("error") is not None:
        return Evaluated(name, error=_raised(fields.mapping(value, "error")))
    return Evaluated(name, fields.bundle(value, "data"), fields.bundle(value, "metadata"))


def _cleared(value: Mapping[str, Any]) -> Cleared:
    return Cleared(fields.flag(value, "wait"))


_READERS: Dict[str, Callable[[Mapping[str, Any]], Told]] = {
    "ready": _ready,
    "refused": _refused,
    "begun": _began,
    "done": _done,
    "reply": _reply,
    "text": _streamed,
    "display": _displayed,
    "result": _resulted,
    "ask": _asked,
    "error": _raised,
    "next": _suggested,
    "value": _evaluated,
    "clear": _cleared,
}
