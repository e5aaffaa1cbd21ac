"""What the lines of a context say, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

from sandlot.contracts.cells import Streamed
from sandlot.wire import context_lines
from sandlot.wire.context_lines import Told
from sandlot.wire.lines import LineError

_AT_ONCE = 65_536


async def heard(lines: Iterable[bytes]) -> AsyncGenerator[Told, None]:
    """What *lines* say. Texts that follow one another become one: a print alone is two. Raises LineError."""
    texts: list[Streamed] = []
    try:
        for line in lines:
            told = context_lines.told_from(line) if len(line) < _AT_ONCE else await _read_apart(line)
            if texts and not (isinstance(told, Streamed) and told.stream is texts[0].stream):
                said, texts = texts, []
                yield context_lines.joined(said)
            if isinstance(told, Streamed):
                texts.append(told)
            else:
                yield told
    except LineError:
        if texts:
            yield context_lines.joined(texts)
        raise
    if texts:
        yield context_lines.joined(texts)


async def _read_apart(line: bytes) -> Told:
    """A long line, in a thread: others are not held up."""
    return await asyncio.to_thread(context_lines.told_from, line)
