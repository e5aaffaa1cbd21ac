"""What the lines of a context say, in order, and the cell that hears it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from sandlot.contracts.cells import Begun, CellEvent, Streamed
from sandlot.wire import context_lines
from sandlot.wire.context_lines import Done, Told
from sandlot.wire.lines import LineError

_AT_ONCE = 65_536


class Hearer(Protocol):
    """A cell, as its interpreter knows it."""

    async def begun(self, event: Begun) -> None:
        """It runs now."""

    async def told(self, event: CellEvent) -> None:
        """It brought *event* forth; waits while nobody takes that."""

    def hurry(self) -> None:
        """Wait for nobody any more."""

    def over(self, done: Done | None) -> None:
        """It has ended; None: with its interpreter."""


class Heard(NamedTuple):
    """What was said before the *error*, if one ended it."""

    told: list[Told]
    error: LineError | None = None


async def heard(lines: Iterable[bytes]) -> Heard:
    """What *lines* say. Texts that follow one another become one."""
    found: list[Told] = []
    texts: list[Streamed] = []
    try:
        for line in lines:
            told = context_lines.told_from(line) if len(line) < _AT_ONCE else await _read_apart(line)
            if texts and not (isinstance(told, Streamed) and told.stream is texts[0].stream):
                found.append(context_lines.joined(texts))
                texts = []
            if isinstance(told, Streamed):
                texts.append(told)
            else:
                found.append(told)
    except LineError as error:
        return Heard([*found, context_lines.joined(texts)] if texts else found, error)
    return Heard([*found, context_lines.joined(texts)] if texts else found)


async def _read_apart(line: bytes) -> Told:
    """A long line, in a thread: others are not held up."""
    return await asyncio.to_thread(context_lines.told_from, line)
