"""A cell's events on the wire: NDJSON lines and server-sent events, as those of commands (`events`).

Kinds: begun, stdout, stderr, display, result, input, error, next (Suggested), value (Evaluated), clear,
finished; and failed, when there is no cell to tell of. Representations are as in contracts.cells: text,
base64 for binary types, JSON values.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Union

from sandlot.contracts.cells import (
    Begun,
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
    StreamName,
    Suggested,
)
from sandlot.contracts.events import Failed

from .fields import Fields, body_of, object_from
from .stream_lines import LineReader

LONGEST_LINE = 12 * 2**20
"""Bytes of one event; a context cannot show more in one piece."""
MOST_TEXT = 131_072
"""Characters of output in one event."""

TellableEvent = Union[CellEvent, Failed]


def cell_event_to_json(event: TellableEvent) -> Dict[str, Any]:
    """*event* as fields, without its number."""
    if isinstance(event, Begun):
        return {"event": "begun", "executionCount": event.execution_count}
    if isinstance(event, Streamed):
        return {"event": event.stream.value, "text": event.text}
    if isinstance(event, Displayed):
        return {
            "event": "display",
            **_bundle(event),
            "displayId": event.display_id,
            "update": event.update,
            **({"paged": True} if event.paged else {}),
        }
    if isinstance(event, Resulted):
        return {"event": "result", **_bundle(event), "executionCount": event.execution_count}
    if isinstance(event, Suggested):
        return {"event": "next", "code": event.code, "replace": event.replace}
    if isinstance(event, Evaluated):
        error = None if event.error is None else _error_to_json(event.error)
        return {"event": "value", "name": event.name, **_bundle(event), "error": error}
    return _turn_to_json(event)


def cell_event_from(value: Mapping[str, Any]) -> Optional[TellableEvent]:
    """The event that *value* tells; None for a kind that is unknown here. Raises InvalidSpec."""
    fields = Fields(value, "event")
    kind = fields.text("event")
    read = _READERS.get(kind)
    return None if read is None else read(fields)


def ndjson(number: int, event: TellableEvent, **about: Any) -> bytes:
    """One line that tells *event* and *about* (fields named as on the wire)."""
    return body_of({"id": number, **cell_event_to_json(event), **about}) + b"\n"


def sse(number: int, event: TellableEvent, **about: Any) -> bytes:
    """The server-sent event that tells the same."""
    told = {"id": number, **cell_event_to_json(event), **about}
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, told["event"].encode(), body_of(told))


class CellReader:
    """Turns the bytes of a stream into a cell's events; with *server_sent* they are server-sent, else NDJSON.

    Kinds that are unknown here are passed over. `feed` raises InvalidSpec for what is no such stream.
    """

    def __init__(self, *, server_sent: bool = False) -> None:
        """Read from the beginning of a stream."""
        self._lines = LineReader(server_sent=server_sent, longest=LONGEST_LINE)

    def feed(self, data: bytes) -> List[TellableEvent]:
        """The events that *data* completes."""
        found = (cell_event_from(object_from(text)) for text in self._lines.feed(data))
        return [event for event in found if event is not None]


def _turn_to_json(event: Union[InputAsked, Raised, Cleared, Finished, Failed]) -> Dict[str, Any]:
    """What is no output."""
    if isinstance(event, InputAsked):
        return {"event": "input", "prompt": event.prompt, "password": event.password}
    if isinstance(event, Raised):
        return {"event": "error", **_error_to_json(event)}
    if isinstance(event, Cleared):
        return {"event": "clear", "wait": event.wait}
    if isinstance(event, Failed):
        return {"event": "failed", "code": event.code, "message": event.message}
    return {
        "event": "finished",
        "status": event.status.value,
        "executionCount": event.execution_count,
        "durationMs": round(event.duration * 1000, 3),
        "droppedBytes": event.dropped,
        "detail": event.detail,
    }


def _error_to_json(raised: Raised) -> Dict[str, Any]:
    return {"name": raised.name, "value": raised.value, "traceback": list(raised.traceback)}


def _bundle(shown: Union[Displayed, Resulted, Evaluated]) -> Dict[str, Any]:
    return {"data": dict(shown.data), "metadata": dict(shown.metadata)}


def _begun(fields: Fields) -> Begun:
    return Begun(fields.count("executionCount"))


def _stdout(fields: Fields) -> Streamed:
    return Streamed(StreamName.STDOUT, readable(fields, "text"))


def _stderr(fields: Fields) -> Streamed:
    return Streamed(StreamName.STDERR, readable(fields, "text"))


def _display(fields: Fields) -> Displayed:
    return Displayed(
        by_name(fields, "data"),
        by_name(fields, "metadata"),
        readable(fields, "displayId") if fields.has("displayId") else None,
        fields.flag("update", default=False),
        fields.flag("paged", default=False),
    )


def _result(fields: Fields) -> Resulted:
    return Resulted(by_name(fields, "data"), by_name(fields, "metadata"), fields.count("executionCount", 0))


def _input(fields: Fields) -> InputAsked:
    return InputAsked(readable(fields, "prompt", ""), fields.flag("password", default=False))


def _error(fields: Fields) -> Raised:
    lines = fields.texts("traceback") if fields.has("traceback") else ()
    return Raised(
        readable(fields, "name"), readable(fields, "value", ""), tuple(_unicode(line) for line in lines)
    )


def _next(fields: Fields) -> Suggested:
    return Suggested(readable(fields, "code"), fields.flag("replace", default=False))


def _value(fields: Fields) -> Evaluated:
    error = _error(fields.inner("error")) if fields.has("error") else None
    return Evaluated(readable(fields, "name"), by_name(fields, "data"), by_name(fields, "metadata"), error)


def _clear(fields: Fields) -> Cleared:
    return Cleared(fields.flag("wait", default=False))


def _failed(fields: Fields) -> Failed:
    return Failed(fields.text("code"), readable(fields, "message", ""))


def _finished(fields: Fields) -> Finished:
    text = fields.text("status")
    try:
        status = CellStatus(text)
    except ValueError:
        raise fields.wrong("status", "is unknown") from None
    return Finished(
        status,
        fields.count("executionCount", 0),
        fields.number("durationMs", 0.0) / 1000,
        fields.count("droppedBytes", 0),
        readable(fields, "detail") if fields.has("detail") else None,
    )


_READERS: Dict[str, Callable[[Fields], TellableEvent]] = {
    "begun": _begun,
    "stdout": _stdout,
    "stderr": _stderr,
    "display": _display,
    "result": _result,
    "input": _input,
    "error": _error,
    "next": _next,
    "value": _value,
    "clear": _clear,
    "failed": _failed,
    "finished": _finished,
}


def by_name(fields: Fields, name: str) -> Dict[str, Any]:
    """An object of any values; empty when it is not given."""
    inner = fields.raw(name)
    if inner is None:
        return {}
    if not isinstance(inner, dict):
        raise fields.wrong(name, "must be an object", shown=False)
    return dict(inner)


def readable(fields: Fields, name: str, default: Optional[str] = None) -> str:
    """A text that a program chose, for people to read: what is not Unicode in it (PEP 383) is replaced."""
    return _unicode(fields.file_name(name, default))


def _unicode(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
