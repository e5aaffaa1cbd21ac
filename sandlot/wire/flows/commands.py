"""Commands: run with their events as they happen, fed, killed."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional

from sandlot.contracts.command import Command
from sandlot.contracts.errors import ConnectionLost, InvalidSpec
from sandlot.contracts.events import Event, Exited, Failed
from sandlot.contracts.result import Result, error_of, fold
from sandlot.contracts.service import RunRequest
from sandlot.wire.commands import command_to_json, run_to_json
from sandlot.wire.events import NDJSON, EventReader, Received
from sandlot.wire.fields import Fields
from sandlot.wire.http import Head, target
from sandlot.wire.results import isolation_of, names_of

from .exchange import Ask, Flow, Stream, accepted, asking, sandbox_target, understood

MOST_INLINE = 2**20
"""Bytes of standard input that travel in the request itself; more of it is streamed."""
MOST_FED = 262_144
"""Bytes of standard input in one request of a stream."""


def run(request: RunRequest) -> Stream[Received]:
    """One command in a sandbox of its own. Raises InvalidSpec, Unsupported for what cannot be asked."""
    told = asking("POST", target(("v1", "run")), run_to_json(request), accept=NDJSON)
    return Stream(told, Events)


def execute(sandbox: str, command: Command) -> Stream[Received]:
    """*command* in *sandbox*; closing the connection kills it. Raises InvalidSpec for a background one."""
    if command.background:
        raise InvalidSpec("a background command has no events of its own: use start")
    where = sandbox_target(sandbox, "exec")
    return Stream(asking("POST", where, command_to_json(command), accept=NDJSON), Events)


def feed(sandbox: str, execution: str, data: bytes, *, end: bool = False) -> Flow[None]:
    """Append *data* to the input of a running command; returns when it was taken, however long that takes."""
    query = [("end", "true")] if end else []
    where = sandbox_target(sandbox, "exec", execution, "input", query=query)
    accepted((yield Ask(asking("POST", where, body=data), patience=None)), 204)


def kill(sandbox: str, execution: str) -> Flow[None]:
    """Kill a running command."""
    accepted((yield Ask(asking("DELETE", sandbox_target(sandbox, "exec", execution)))), 204)


def slices(data: bytes) -> List[bytes]:
    """*data* in pieces that one request carries."""
    return [data[start : start + MOST_FED] for start in range(0, len(data), MOST_FED)]


def execution_of(received: Received) -> str:
    """The id by which a command that has just started is fed and killed. Raises ConnectionLost."""
    return understood(lambda: Fields(received.fields, "event").text("exec"))


def behind(received: Received) -> Optional[Dict[str, Any]]:
    """Engine, isolation, enforced and failover, which the last event of a command tells; None for others."""
    if not isinstance(received.event, Exited) or "engine" not in received.fields:
        return None
    return understood(lambda: _behind(received.fields))


def result(received: Iterable[Received]) -> Result:
    """What the events of a run amount to. Raises the error of a failed one."""
    found = list(received)
    about = behind(found[-1]) if found else None
    events: List[Event] = [each.event for each in found if each.event is not None]
    if events and isinstance(events[-1], Failed):
        raise error_of(events[-1])
    if about is None:
        raise ConnectionLost("the server does not tell which engine ran the command: is it a sandlot server?")
    return fold(events, **about)


class Events:
    """Understands the events of one command; they end with Exited or Failed."""

    def __init__(self, _head: Head) -> None:
        """Begin."""
        self.is_complete = False
        self._reader = EventReader()

    def feed(self, data: bytes) -> List[Received]:
        """As Items.feed; kinds of event that are unknown here are passed over."""
        found = [each for each in understood(lambda: self._reader.feed(data)) if each.event is not None]
        self.is_complete = self.is_complete or any(isinstance(each.event, (Exited, Failed)) for each in found)
        return found

    def finish(self) -> None:
        """As Items.finish."""
        if not self.is_complete:
            raise ConnectionLost("the connection ended before the command did; whether it ran on is unknown")


def _behind(told: Mapping[str, Any]) -> Dict[str, Any]:
    fields = Fields(told, "event")
    return {
        "engine": fields.text("engine"),
        "isolation": isolation_of(fields),
        "enforced": names_of(fields, "enforced"),
        "failover": names_of(fields, "failover"),
    }
