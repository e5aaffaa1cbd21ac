"""Text of a cell, joined: what is written in a row is one message, as clients that keep outputs expect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Final, TypeGuard

from sandlot.contracts.cells import CellEvent, Streamed
from sandlot.contracts.streams import ended

PATIENCE: Final = 0.05
"""Seconds that text waits for more of its stream: `print` alone writes twice."""

LARGEST: Final = 65_536
"""Characters that are joined."""


async def joined(events: AsyncIterator[CellEvent]) -> AsyncGenerator[CellEvent, None]:
    """*events* in their order, with text of one stream that comes in a row as one event, a little later."""
    loop = asyncio.get_running_loop()
    held: Streamed | None = None
    coming: asyncio.Task[CellEvent | None] | None = None
    due = 0.0
    async with ended(events):
        try:
            while True:
                if held is not None:
                    coming = coming or asyncio.ensure_future(_next(events))
                    await asyncio.wait([coming], timeout=max(0.0, due - loop.time()))
                    if not coming.done():
                        told, held = held, None
                        yield told
                        continue
                event, coming = await (_next(events) if coming is None else coming), None
                if held is not None and _is_more(event, held):
                    held = replace(held, text=held.text + event.text)
                    continue
                if held is not None:
                    yield held
                if event is None:
                    return
                held, due = (event if isinstance(event, Streamed) else None), loop.time() + PATIENCE
                if held is None:
                    yield event
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.wait([coming])


async def _next(events: AsyncIterator[CellEvent]) -> CellEvent | None:
    return await anext(events, None)


def _is_more(event: CellEvent | None, held: Streamed) -> TypeGuard[Streamed]:
    return isinstance(event, Streamed) and event.stream is held.stream and len(held.text) < LARGEST
