"""A command on a pseudo-terminal, typed to while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Any

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.events import Event
from sandlot.wire.frames import Kind

from . import asking, running
from .calls import Calls
from .connection import ConnectionEnded, Stream, StreamEnded


class BoxTerminal:
    """Implements contracts.engine.Terminal; made by AgentBox.open."""

    def __init__(self, stream: Stream, held: AsyncExitStack, run: running.Run) -> None:
        """Hold a stream whose request is *held* open."""
        self._stream, self._held, self._run = stream, held, run

    @classmethod
    async def start(cls, calls: Calls, fields: Mapping[str, Any], command: Command) -> BoxTerminal:
        """Run *command*; *fields* are those of its `run`. Raises BoxDied, InvalidSpec."""
        async with AsyncExitStack() as held:
            stream = await held.enter_async_context(calls.request("run", **fields))
            await held.enter_async_context(asking.feeding(stream, command, end=False))
            run = running.Run(calls, stream, command.timeout, asking.UNBOUNDED)
            return cls(stream, held.pop_all(), run)

    async def events(self) -> AsyncIterator[Event]:
        async with aclosing(self._run.events()) as events:
            async for event in events:
                yield event

    async def type(self, data: bytes) -> None:
        """As Terminal.type; what is typed after the end is dropped."""
        try:
            await self._stream.send(Kind.INPUT, data)
        except (StreamEnded, ConnectionEnded):
            return

    async def resize(self, size: TerminalSize) -> None:
        self._stream.post(Kind.RESIZE, {"rows": size.rows, "columns": size.columns})

    async def close(self) -> None:
        await asyncio.shield(self._held.aclose())
