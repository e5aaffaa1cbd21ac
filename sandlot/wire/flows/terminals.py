"""Terminals: a command on a WebSocket; binary messages are its bytes, text messages are JSON."""

from __future__ import annotations

from typing import List, Optional, Tuple, Union

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.errors import Unsupported
from sandlot.contracts.events import Event, Stdout
from sandlot.wire.commands import size_to_json
from sandlot.wire.events import event_from
from sandlot.wire.fields import body_of, object_from
from sandlot.wire.http import Request
from sandlot.wire.problems import readable
from sandlot.wire.websocket import Close

from .exchange import sandbox_target, understood

PROTOCOL = "sandlot.terminal.v1"
MOST_TYPED = 65_536
"""Bytes in one message to the terminal."""


def opening(sandbox: str, command: Command) -> Request:
    """The request that opens a terminal for *command*; offer PROTOCOL with it.

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
    return Request("GET", sandbox_target(sandbox, "terminal", query=query))


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
