"""Our standard input, read for a program or as its text."""

from __future__ import annotations

import select
import sys

from sandlot.contracts.errors import InvalidSpec

from . import render

_MOST = 256 * 2**20
_PATIENCE = 2.0  # seconds of silence after which people are told what we wait for


def for_program() -> bytes | None:
    """What the program gets as its standard input: nothing when ours is a terminal or closed."""
    if sys.stdin is None or sys.stdin.isatty():
        return None
    return everything()


def everything() -> bytes:
    """Standard input to its end. Raises InvalidSpec when it is longer than 256 MiB."""
    if sys.stdin is None:
        return b""
    source = sys.stdin.buffer
    # select(2) knows sockets only on Windows.
    if sys.platform != "win32" and not select.select([source], [], [], _PATIENCE)[0]:
        render.say("waiting for the end of standard input (give it with </dev/null if there is none)")
    data = source.read(_MOST + 1)
    if len(data) > _MOST:
        raise InvalidSpec(f"standard input is longer than {_MOST} bytes: copy it in as a file with --in")
    return data
