"""Our standard input, as a program's or as its text."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator

from sandlot.contracts.errors import InvalidSpec

from .readiness import readable

_MOST_CODE = 64 * 2**20
_STEP = 65536


def for_program(*, also_terminal: bool = False) -> AsyncIterator[bytes] | None:
    """What the program gets as its standard input: nothing when ours is closed, or a terminal.

    *also_terminal* passes on what is typed at a terminal as well.
    """
    if sys.stdin is None or (sys.stdin.isatty() and not also_terminal):
        return None
    return _pieces(sys.stdin.fileno())


def everything() -> bytes:
    """Standard input to its end. Raises InvalidSpec when it is longer than code may be."""
    if sys.stdin is None:
        return b""
    data = sys.stdin.buffer.read(_MOST_CODE + 1)
    if len(data) > _MOST_CODE:
        raise InvalidSpec(f"standard input is longer than {_MOST_CODE} bytes: this is no program's text")
    return data


async def _pieces(descriptor: int) -> AsyncIterator[bytes]:
    """What can be read, when it can be: a program that reads nothing does not wait for our input."""
    while True:
        await readable(descriptor)
        data = os.read(descriptor, _STEP)
        if not data:
            return
        yield data
