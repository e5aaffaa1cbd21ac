"""A command's events on the wire: NDJSON lines and server-sent events, written and read.

An event is one JSON object {"id", "event", ...}. NDJSON has one on a line, and a blank line keeps a silent
stream alive. Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) carry the
same object as `data`, and a comment keeps them alive.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional, Union

from sandlot.contracts.events import Event, Exited, Failed, Returned, Started, Stderr, Stdout
from sandlot.contracts.handler import LARGEST_VALUE

from .entries import change_to_json
from .fields import Fields, body_of, object_from, text_or_base64
from .results import reason_of
from .stream_lines import LineReader

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"
NDJSON_ALIVE = b"\n"
SSE_ALIVE = b": alive\n\n"
ALIVE_SECONDS = 15.0
"""A stream without news sends a sign of life so often."""

LONGEST_LINE = LARGEST_VALUE + 2**20
# Six JSON characters for a byte (\u0001) and the rest of the line stay far below LONGEST_LINE.
MOST_DATA = 131_072
"""Bytes that one output event may carry."""


@dataclass(frozen=True)
class Received:
    """One event as it came: its number, what it is (None for kinds of another union), and all its fields."""

    number: Optional[int]
    event: Optional[Event]
    fields: Mapping[str, Any] = field(default_factory=dict)


def event_to_json(event: Event) -> Dict[str, Any]:
    """*event* as fields, without its number. Output that is not UTF-8 is `base64` instead of `text`."""
    if isinstance(event, Started):
        return {"event": "started", "process": event.process}
    if isinstance(event, (Stdout, Stderr)):
        is_text, text = text_or_base64(event.data)
        return {"event": _stream(event), "text" if is_text else "base64": text}
    if isinstance(event, Failed):
        return {"event": "failed", "code": event.code, "message": event.message}
    if isinstance(event, Returned):
        return {"event": "returned", "value": event.value}
    return {
        "event": "exited",
        "reason": event.reason.value,
        "exitCode": event.exit_code,
        "signal": event.signal,
        "truncated": {"stdout": event.stdout_truncated, "stderr": event.stderr_truncated},
        "durationMs": round(event.duration * 1000, 3),
        "cpuMs": round(event.cpu_seconds * 1000, 3),
        "memoryPeakBytes": event.memory_peak,
        "who": event.who,
    }


def event_from(value: Mapping[str, Any]) -> Optional[Event]:
    """The event that *value* tells; None for a kind that is no command's event. Raises InvalidSpec."""
    fields = Fields(value, "event")
    kind = fields.text("event")
    if kind == "started":
        return Started(fields.text("process"))
    if kind in ("stdout", "stderr"):
        data = fields.base64("base64") if fields.has("base64") else fields.text("text").encode()
        return Stdout(data) if kind == "stdout" else Stderr(data)
    if kind == "returned":
        return Returned(fields.raw("value"))
    if kind == "failed":
        return Failed(fields.text("code"), fields.text("message"))
    return _exited(fields) if kind == "exited" else None


def ndjson(number: int, event: Union[Event, Mapping[str, Any]], **about: Any) -> bytes:
    """One line that tells *event*, or a change of a watch, and *about* (fields named as on the wire)."""
    return body_of(_numbered(number, event, about)) + b"\n"


def sse(number: int, event: Union[Event, Mapping[str, Any]], **about: Any) -> bytes:
    """The server-sent event that tells the same."""
    told = _numbered(number, event, about)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, told["event"].encode(), body_of(told))


class EventReader:
    """Turns the bytes of a stream into events; with *server_sent* they are server-sent events, else NDJSON.

    `feed` raises InvalidSpec for what is no such stream, and a line of more than LONGEST_LINE bytes.
    """

    def __init__(self, *, server_sent: bool = False) -> None:
        """Read from the beginning of a stream."""
        self._lines = LineReader(server_sent=server_sent, longest=LONGEST_LINE)

    def feed(self, data: bytes) -> List[Received]:
        """The events that *data* completes."""
        return [_received(text) for text in self._lines.feed(data)]


def _received(text: bytes) -> Received:
    told = object_from(text)
    fields = Fields(told, "event")
    event = event_from(told)
    if isinstance(event, Returned):
        event = replace(event, size=len(text))
    return Received(fields.count("id") if fields.has("id") else None, event, told)


def _numbered(
    number: int, event: Union[Event, Mapping[str, Any]], about: Mapping[str, Any]
) -> Dict[str, Any]:
    if isinstance(event, Mapping):
        return {"id": number, "event": "change", **change_to_json(event), **about}
    return {"id": number, **event_to_json(event), **about}


def _stream(event: Union[Stdout, Stderr]) -> str:
    return "stdout" if isinstance(event, Stdout) else "stderr"


def _exited(fields: Fields) -> Exited:
    truncated = fields.inner("truncated")
    return Exited(
        reason=reason_of(fields),
        exit_code=fields.count("exitCode", least=-255, most=255),
        signal=fields.count("signal", most=255) if fields.has("signal") else None,
        stdout_truncated=truncated.flag("stdout", default=False),
        stderr_truncated=truncated.flag("stderr", default=False),
        duration=fields.number("durationMs", 0.0) / 1000,
        cpu_seconds=fields.number("cpuMs", 0.0) / 1000,
        memory_peak=fields.count("memoryPeakBytes", 0),
        who=fields.text("who") if fields.has("who") else None,
    )
