"""Terminals: a command on a WebSocket; binary messages are its bytes, text messages are JSON."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Tuple, Union

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.errors import ConnectionLost, Unsupported
from sandlot.contracts.events import Event, Stdout
from sandlot.wire.commands import size_to_json
from sandlot.wire.events import event_from
from sandlot.wire.fields import body_of, object_from
from sandlot.wire.http import Request
from sandlot.wire.problems import readable
from sandlot.wire.websocket import Close

from .exchange import sandbox_target, understood

PROTOCOL = "sandlot.terminal.v1"
KEPT_SECONDS = 30.0
"""How long a server keeps a terminal whose client is gone."""
_LOST = (
    1001,
    1006,
    1011,
    1012,
)  # going away, abnormal, an error, a restart (RFC 6455, 7.4, and its registry)
MOST_TYPED = 65_536
"""Bytes in one message to the terminal."""


def opening(sandbox: str, command: Command, *, is_kept: bool = False) -> Request:
    """The request that opens a terminal for *command*; offer PROTOCOL with it.

    With *is_kept* the server keeps it a while for a client that lost its connection, which comes back with
    `resuming`. A server that knows nothing of that tells no name (`name_in`).

    Raises Unsupported for what the opening cannot carry: code, variables, input, a timeout.
    """
    carried = (
        Command(argv=command.argv, workdir=command.workdir, tty=command.tty, timeout=None)
        if command.argv
        else None
    )
    if command != carried:
        raise Unsupported(
            "a terminal over HTTP takes a program and a workdir only: "
            "leave out code, env, stdin and output_limit, and give timeout=None"
        )
    size = command.tty or TerminalSize()
    query: List[Tuple[str, str]] = [("cmd", word) for word in command.argv]
    query += [("workdir", str(command.workdir)), ("rows", str(size.rows)), ("columns", str(size.columns))]
    query += [("resume", "true")] if is_kept else []
    return Request("GET", sandbox_target(sandbox, "terminal", query=query))


def resuming(sandbox: str, name: str, seen: int) -> Request:
    """The request for a terminal's output after its first *seen* bytes; offer PROTOCOL with it."""
    return Request("GET", sandbox_target(sandbox, "terminals", name, query=[("after", str(seen))]))


def name_in(message: Union[bytes, str]) -> str:
    """The name that `resuming` takes, in the server's first message; empty in every other."""
    name = {} if isinstance(message, bytes) else _object_of(message)
    found = name.get("terminal")
    return found if isinstance(found, str) else ""


def missed_in(message: Union[bytes, str, None]) -> int:
    """How many bytes were not kept, in the first message to who came back. Raises ConnectionLost."""
    told = {} if message is None or isinstance(message, bytes) else _object_of(message)
    missed = told.get("missed")
    if (
        told.get("event") != "resumed"
        or isinstance(missed, bool)
        or not isinstance(missed, int)
        or missed < 0
    ):
        raise ConnectionLost("the server did not say where the terminal's output goes on")
    return missed


def is_lost(ending: Optional[Close]) -> bool:
    """Whether a connection that ended so was lost, and not ended by the server for a reason."""
    return ending is None or ending.code in _LOST


def _object_of(message: str) -> Mapping[str, Any]:
    return understood(lambda: object_from(message.encode("utf-8", "surrogatepass")))


def event_of(message: Union[bytes, str]) -> Optional[Event]:
    """What *message* of the server tells; None for a kind that is unknown here. Raises ConnectionLost."""
    if isinstance(message, bytes):
        return Stdout(message)
    text = message.encode("utf-8", "surrogatepass")
    return understood(lambda: event_from(object_from(text)))


def resizing(size: TerminalSize) -> str:
    """The message that changes the window's size."""
    return body_of({"resize": size_to_json(size)}).decode("ascii")


def slices(data: bytes) -> List[bytes]:
    """*data* in pieces that one message carries."""
    return [data[start : start + MOST_TYPED] for start in range(0, len(data), MOST_TYPED)]


def broken(ending: Optional[Close]) -> str:
    """What to say of a terminal that ended before its command did."""
    why = "" if ending is None else f" (code {ending.code} {readable(ending.reason)})"
    return f"the terminal's connection ended{why} before the command did; whether it ran on is unknown"
