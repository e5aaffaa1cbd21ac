"""Our own terminal while somebody works in a sandbox: raw, given back as it was, with a way out."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Iterator, Tuple

from sandlot.contracts.command import TerminalSize
from sandlot.contracts.errors import InvalidSpec, Unsupported

LEAVE = 0x1D
"""Ctrl-], which means leaving in telnet and in the consoles of machines, too."""
TIMES = 3
WITHIN = 1.0
"""Seconds in which all of them are typed."""


@dataclass(frozen=True)
class WayOut:
    """How many times in a row LEAVE has been typed, and since when (pure)."""

    count: int = 0
    since: float = 0.0

    def after(self, typed: bytes, now: float) -> WayOut:
        """What holds once *typed* has been read at *now*, in seconds of any clock."""
        way = self if now - self.since <= WITHIN else WayOut()
        for byte in typed:
            if way.is_taken:
                break
            way = WayOut(way.count + 1, way.since if way.count else now) if byte == LEAVE else WayOut()
        return way

    @property
    def is_taken(self) -> bool:
        """Whether whoever types wants to leave."""
        return self.count >= TIMES


def require_terminal(instead: str) -> None:
    """Raise InvalidSpec unless somebody sits at a terminal, naming what to do *instead*; or Unsupported."""
    if sys.platform == "win32":
        raise Unsupported(f"terminals of sandboxes need a Unix terminal: {instead}")
    if not is_terminal():
        raise InvalidSpec(f"standard input and output are no terminal: {instead}")


def is_terminal() -> bool:
    """Whether our input and output are a terminal."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def size() -> TerminalSize:
    """The size of our terminal; the usual one where it does not tell."""
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return TerminalSize()
    usual = TerminalSize()
    return TerminalSize(rows or usual.rows, columns or usual.columns)


@contextmanager
def raw() -> Iterator[Tuple[int, int]]:
    """Every key goes to the block, none to us; the descriptors to read from and to write to.

    However the block is left, the terminal is as it was before.
    """
    import termios
    import tty

    reading, writing = sys.stdin.fileno(), sys.stdout.fileno()
    before = termios.tcgetattr(reading)
    tty.setraw(reading, termios.TCSADRAIN)
    try:
        yield reading, writing
    finally:
        # Not TCSAFLUSH: what was typed ahead is for the next reader.
        with suppress(termios.error):  # a terminal that was hung up has nothing to give back
            termios.tcsetattr(reading, termios.TCSADRAIN, before)
