"""What a context and its host say to each other: one JSON object a line, each way.

Whatever comes from a context was written by a program of the user: it is read as hostile. A line that
is no JSON, or says something that cannot be, is a LineError: it costs the context its life, and nobody else
anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

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
from sandlot.contracts.contexts import (
    Completeness,
    Completions,
    ContextFacts,
    HistoryEntry,
    Inspection,
    Judgement,
)

from . import json_object
from .lines import LARGEST_LINE, LineError

_DEEPEST = 64
_LONGEST_TYPE = 128
_MOST_TYPES = 64
_LONGEST_WORD = 256
_LONGEST_TEXT = 2**20
_LONGEST_PROMPT = 65_536
_MOST_LINES = 2000
_MOST_MATCHES = 1000
_MOST_ENTRIES = 10_000
_LARGEST_COUNT = 2**53
_STATUSES = {each.value: each for each in (CellStatus.OK, CellStatus.ERROR, CellStatus.INTERRUPTED)}


@dataclass(frozen=True)
class Ready:
    """The first line: the interpreter can run cells."""

    facts: ContextFacts


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


Told = Union[Ready, Began, Done, Reply, CellEvent]


def told_from(line: bytes) -> Told:
    """What a line of a context says. Raises LineError."""
    try:
        value = json_object.parse(line, max_depth=_DEEPEST)
    except json_object.JsonError as error:
        raise LineError(f"it sent a line that cannot be read: {error}") from None
    if b"\\ud" in line.lower():
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


def request_line(do: str, number: int, **fields: Any) -> bytes:
    """A request to a context as a line."""
    return json_object.render({"do": do, "id": number, **fields}) + b"\n"


def completions_from(value: Mapping[str, Any], code: str) -> Completions:
    """The answer to `complete` about *code*. Raises LineError."""
    start, end = _count(value, "start", len(code)), _count(value, "end", len(code))
    if start > end:
        raise LineError(f"it completes the characters from {start} to {end}")
    return Completions(_texts(value, "matches", _MOST_MATCHES), start, end, _object(value, "metadata"))


def inspection_from(value: Mapping[str, Any]) -> Inspection:
    """The answer to `inspect`. Raises LineError."""
    return Inspection(_flag(value, "found"), _bundle(value, "data"), _object(value, "metadata"))


def judgement_from(value: Mapping[str, Any]) -> Judgement:
    """The answer to `is_complete`. Raises LineError."""
    try:
        status = Completeness(value.get("status"))
    except ValueError:
        raise LineError(f"it told the unknown status {value.get('status')!r:.60}") from None
    return Judgement(status, _text(value, "indent"))


def history_from(value: Mapping[str, Any]) -> Tuple[HistoryEntry, ...]:
    """The answer to `history`. Raises LineError."""
    entries = _list(value, "entries", _MOST_ENTRIES)
    return tuple(_entry(each) for each in entries)


def _entry(value: Any) -> HistoryEntry:
    pair = {"count": value[0], "code": value[1]} if isinstance(value, list) and len(value) == 2 else {}
    return HistoryEntry(_count(pair, "count"), _text(pair, "code", LARGEST_LINE))


def _ready(value: Mapping[str, Any]) -> Ready:
    words = {
        name: _text(value, name, _LONGEST_WORD) for name in ("language", "version", "shell", "shell_version")
    }
    return Ready(ContextFacts(features=_texts(value, "features", _MOST_TYPES, _LONGEST_WORD), **words))


def _began(value: Mapping[str, Any]) -> Began:
    return Began(_count(value, "id"), Begun(_count(value, "count")))


def _done(value: Mapping[str, Any]) -> Done:
    status = _STATUSES.get(str(value.get("status")))
    if status is None:
        raise LineError(f"it told the unknown status {value.get('status')!r:.60}")
    return Done(_count(value, "id"), status, _count(value, "count"))


def _reply(value: Mapping[str, Any]) -> Reply:
    error = None if value.get("error") is None else _text(value, "error")
    return Reply(_count(value, "id"), value, error)


def _streamed(value: Mapping[str, Any]) -> Streamed:
    try:
        stream = StreamName(value.get("stream"))
    except ValueError:
        raise LineError(f"it wrote to the unknown stream {value.get('stream')!r:.60}") from None
    return Streamed(stream, _text(value, "text"))


def _displayed(value: Mapping[str, Any]) -> Displayed:
    known = None if value.get("id") is None else _text(value, "id", _LONGEST_WORD)
    return Displayed(
        _bundle(value, "data"),
        _bundle(value, "metadata"),
        known,
        _flag(value, "update"),
        _flag(value, "paged"),
    )


def _resulted(value: Mapping[str, Any]) -> Resulted:
    return Resulted(_bundle(value, "data"), _bundle(value, "metadata"), _count(value, "count"))


def _asked(value: Mapping[str, Any]) -> InputAsked:
    return InputAsked(_text(value, "prompt", _LONGEST_PROMPT), _flag(value, "password"))


def _raised(value: Mapping[str, Any]) -> Raised:
    lines = _texts(value, "traceback", _MOST_LINES)
    return Raised(_text(value, "name", _LONGEST_WORD), _text(value, "value"), lines)


def _suggested(value: Mapping[str, Any]) -> Suggested:
    return Suggested(_text(value, "code", LARGEST_CELL), _flag(value, "replace"))


def _evaluated(value: Mapping[str, Any]) -> Evaluated:
    name = _text(value, "name", LARGEST_ANSWER)
    if value.get("error") is not None:
        return Evaluated(name, error=_raised(_object(value, "error")))
    return Evaluated(name, _bundle(value, "data"), _bundle(value, "metadata"))


def _cleared(value: Mapping[str, Any]) -> Cleared:
    return Cleared(_flag(value, "wait"))


_READERS: Dict[str, Callable[[Mapping[str, Any]], Told]] = {
    "ready": _ready,
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


def is_json_type(mime: str) -> bool:
    """Whether values of this MIME type are JSON (RFC 6839, 3.1), not text."""
    return mime == "application/json" or mime.endswith("+json")


def _bundle(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A bundle, or what is told of its parts, which may be of any type."""
    found = _object(value, name)
    if len(found) > _MOST_TYPES:
        raise LineError(f"its {name} has {len(found)} types: {_MOST_TYPES} at most")
    for mime, content in found.items():
        if not 0 < len(mime) <= _LONGEST_TYPE or not mime.isascii() or not mime.isprintable():
            raise LineError(f"its {name} has the type {mime!r:.60}")
        if name == "data" and not isinstance(content, str) and not is_json_type(mime):
            raise LineError(f"its {mime} is no text")
    return found


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise LineError(f"its {name} is no object")
    return found


def _list(value: Mapping[str, Any], name: str, most: int) -> List[Any]:
    found = value.get(name)
    if not isinstance(found, list) or len(found) > most:
        raise LineError(f"its {name} is no list of at most {most}")
    return found


def _texts(value: Mapping[str, Any], name: str, most: int, longest: int = _LONGEST_TEXT) -> Tuple[str, ...]:
    found = _list(value, name, most)
    if not all(isinstance(each, str) and len(each) <= longest for each in found):
        raise LineError(f"its {name} is no list of texts")
    return tuple(found)


def _text(value: Mapping[str, Any], name: str, longest: int = _LONGEST_TEXT) -> str:
    found = value.get(name)
    if not isinstance(found, str) or len(found) > longest:
        raise LineError(f"its {name} is no text of at most {longest} characters")
    return found


def _flag(value: Mapping[str, Any], name: str) -> bool:
    found = value.get(name)
    if not isinstance(found, bool):
        raise LineError(f"its {name} is neither true nor false")
    return found


def _count(value: Mapping[str, Any], name: str, most: int = _LARGEST_COUNT) -> int:
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= most:
        raise LineError(f"its {name} is no count up to {most}")
    return found
