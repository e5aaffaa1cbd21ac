"""An ORDER: one frame that says all of a command which takes no input; and on what terms a box is claimed.

A fixed header, for whoever watches over the command; then the text for the process that becomes it. That of a
program is a line of JSON with `env`, `workdir` and `call`, and the program with its event behind it. That of
an argv is texts that end with NUL: the directory, how many words there are, the words, the variables as in
environ(7). The first process of a box reads the latter in C, and the terms too: lines of a limit's name and
its number. A process that waits for its order is told the terms and, behind an empty line, the text.
"""

from __future__ import annotations

import struct

from . import json_object
from .frames import MAX_PAYLOAD, FrameError
from .frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

# Microseconds of time, bytes kept of an output, bytes dropped after them, bytes of a value, flags.
_HEADER = struct.Struct(">QQQQB")
LONGEST_TEXT = MAX_PAYLOAD - _HEADER.size
"""Bytes of a text that fits one frame."""

_NEVER = 2**64 - 1
_LAST, _EXEC = 1, 2
_MICROSECONDS = 1_000_000


class Order(Frozen):
    """What is ordered.

    timeout: seconds or None; keep: bytes passed on of each output; drop: bytes dropped after which the
    command is killed; value: bytes its value may have, 0 when it returns none; is_last: no other command
    follows; is_exec: whether the text is that of an argv.
    """

    timeout: Optional[float]
    keep: int
    drop: int
    value: int
    is_last: bool
    is_exec: bool
    text: bytes


def encode(order: Order) -> bytes:
    """The payload of the frame."""
    timeout = _NEVER if order.timeout is None else round(order.timeout * _MICROSECONDS)
    flags = (_LAST if order.is_last else 0) | (_EXEC if order.is_exec else 0)
    return _HEADER.pack(timeout, order.keep, order.drop, order.value, flags) + order.text


def parse(payload: bytes) -> Order:
    """The order in a payload. Raises FrameError."""
    if len(payload) < _HEADER.size:
        raise FrameError(f"an ORDER of {len(payload)} bytes: {_HEADER.size} at least")
    timeout, keep, drop, value, flags = _HEADER.unpack_from(payload)
    seconds = None if timeout == _NEVER else timeout / _MICROSECONDS
    text = payload[_HEADER.size :]
    return Order(seconds, keep, drop, value, bool(flags & _LAST), bool(flags & _EXEC), text)


def program(env: Dict[str, str], workdir: str, call: Optional[Dict[str, Any]], source: bytes) -> bytes:
    """The text of a program. Raises json_object.JsonError."""
    return json_object.render({"env": env, "workdir": workdir, "call": call}) + b"\n" + source


def execution(argv: List[str], env: Dict[str, str], workdir: str) -> bytes:
    """The text of an argv. Raises UnicodeEncodeError for words that no file system has."""
    variables = (f"{name}={value}" for name, value in env.items())
    words = (workdir, str(len(argv)), *argv, *variables)
    return b"".join(each.encode("utf-8", "surrogateescape") + b"\0" for each in words)


def told(text: bytes) -> Tuple[Dict[str, Any], bytes]:
    """What a text says: `argv` (None for a program), `env`, `workdir` and `call`; and the program.

    Raises FrameError, json_object.JsonError.
    """
    if text.startswith(b"{"):
        header, _, source = text.partition(b"\n")
        return {"argv": None, **json_object.parse(header)}, source
    try:
        said = text.decode("utf-8", "surrogateescape").split("\0")
        workdir, count, *words = said[:-1]
        argv, variables = words[: int(count)], words[int(count) :]
        env = dict(each.split("=", 1) for each in variables)
    except ValueError as error:
        raise FrameError(f"an ORDER that says no command: {error}") from None
    return {"argv": argv, "env": env, "workdir": workdir, "call": None}, b""


def limits(values: Dict[str, int]) -> bytes:
    """The payload of a CLAIM: limits by names of walls.rlimits."""
    return b"".join(b"%b %d\n" % (name.encode(), value) for name, value in values.items())


def limits_of(payload: bytes) -> Dict[str, int]:
    """What a CLAIM says. Raises FrameError."""
    try:
        pairs = [line.split(" ") for line in payload.decode("ascii").splitlines()]
        return {name: int(value) for name, value in pairs}
    except ValueError as error:
        raise FrameError(f"a CLAIM that says no limits: {error}") from None


def message(values: Dict[str, int], text: bytes) -> bytes:
    """What is told to a process that waits for its order."""
    return limits(values) + b"\n" + text


def split(received: bytes) -> Tuple[Dict[str, int], bytes]:
    """The limits and the text of a `message`. Raises FrameError."""
    if received.startswith(b"\n"):
        return {}, received[1:]
    lines, _, text = received.partition(b"\n\n")
    return limits_of(lines), text
