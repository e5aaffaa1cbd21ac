"""Background processes: started, listed, signalled, fed, waited for, read."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

from sandlot.contracts.command import Command
from sandlot.contracts.errors import InvalidSpec, TimedOut
from sandlot.wire.commands import command_to_json
from sandlot.wire.entries import row_from, rows_from
from sandlot.wire.fields import Fields
from sandlot.wire.http import Head

from .exchange import (
    QUIET,
    WORKING,
    Answer,
    Ask,
    Flow,
    accepted,
    asking,
    refusal,
    sandbox_target,
    understood,
    value_of,
)

_ONE_WAIT = 30.0  # seconds: below what proxies between us cut off as idle


def start(sandbox: str, command: Command) -> Flow[str]:
    """Start *command* in the background; the process's name. Its input is bytes, or comes by `feed`."""
    told = command_to_json(command)
    if told.pop("stdinStream", None):
        raise InvalidSpec("a background process takes its input as bytes or by feed: give no stream")
    answer = yield Ask(asking("POST", sandbox_target(sandbox, "processes"), told), patience=WORKING)
    return value_of(accepted(answer, 201), lambda value: Fields(value).text("process"))


def processes(sandbox: str) -> Flow[Tuple[Mapping[str, Any], ...]]:
    """Every background process and running command."""
    answer = yield Ask(asking("GET", sandbox_target(sandbox, "processes")))
    return value_of(accepted(answer, 200), rows_from)


def signal(sandbox: str, process: str, number: int) -> Flow[None]:
    """Send signal *number* to the process's group."""
    told: Dict[str, Any] = {"signal": number}
    where = sandbox_target(sandbox, "processes", process, "signal")
    accepted((yield Ask(asking("POST", where, told))), 204)


def feed(sandbox: str, process: str, data: bytes, *, end: bool = False) -> Flow[None]:
    """Write to its standard input; returns when it was taken, however long that takes."""
    query = [("end", "true")] if end else []
    where = sandbox_target(sandbox, "processes", process, "input", query=query)
    accepted((yield Ask(asking("POST", where, body=data), patience=None)), 204)


def wait(sandbox: str, process: str, timeout: Optional[float] = None) -> Flow[Mapping[str, Any]]:
    """Its row once it has ended; asks anew every half minute. Raises TimedOut after *timeout* seconds."""
    left = timeout
    while True:
        turn = _ONE_WAIT if left is None else min(max(left, 0.0), _ONE_WAIT)
        query = [("waitSeconds", f"{turn:.3f}")]
        where = sandbox_target(sandbox, "processes", process, query=query)
        answer = yield Ask(asking("GET", where), patience=turn + QUIET)
        if answer.head.status == 200:
            return value_of(answer, row_from)
        left = None if left is None else left - turn
        error = refusal(answer)
        if not isinstance(error, TimedOut) or (left is not None and left <= 0):
            raise error


def output(sandbox: str, process: str, offset: int = 0) -> Flow[Tuple[bytes, int, int]]:
    """Kept output from *offset*: the bytes, the next offset, how many earlier bytes were dropped."""
    where = sandbox_target(sandbox, "processes", process, "output", query=[("offset", str(offset))])
    answer: Answer = accepted((yield Ask(asking("GET", where, accept="application/octet-stream"))), 200)
    following = _header(answer.head, "sandlot-next-offset", offset + len(answer.body))
    return answer.body, following, _header(answer.head, "sandlot-dropped", 0)


def _header(head: Head, name: str, default: int) -> int:
    text = head.headers.get(name, str(default)).strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        return understood(lambda: _refuse(name, text))
    return int(text)


def _refuse(name: str, text: str) -> int:
    raise InvalidSpec(f"the header {name} is no count: {text[:40]!r}")
