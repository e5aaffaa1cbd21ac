"""LentContext: a context of a sandbox's box in the hands of a caller, whose cells count as commands."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from sandlot.contracts.cells import Cell, CellEvent, Finished
from sandlot.contracts.contexts import (
    Checkpoint,
    Completions,
    Context,
    ContextEnding,
    ContextFacts,
    HistoryEntry,
    Inspection,
    Judgement,
)
from sandlot.contracts.streams import ended

from .gate import Gate


class LentContext:
    """Implements contracts.contexts.Context by that of another box.

    A cell takes a place in the gate of commands from the moment it is given until it is over: `run`,
    `restart` and what copies an interpreter also raise PoolExhausted and QuotaDenied.
    """

    def __init__(self, context: Context, commands: Gate, owner: str) -> None:
        """Lend *context* to *owner*."""
        self.id, self.spec = context.id, context.spec
        self._context, self._commands, self._owner = context, commands, owner

    @property
    def facts(self) -> ContextFacts:
        """As Context.facts."""
        return self._context.facts

    async def run(self, cell: Cell) -> AsyncGenerator[CellEvent, None]:
        async with self._commands.place(self._owner), ended(self._context.run(cell)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    break
                yield event
            else:
                return
        yield event  # its place is given back before: nobody has to read on after the end

    async def answer(self, text: str) -> None:
        await self._context.answer(text)

    async def interrupt(self) -> None:
        await self._context.interrupt()

    async def restart(self) -> None:
        async with self._commands.place(self._owner):
            await self._context.restart()

    async def complete(self, code: str, cursor: int) -> Completions:
        return await self._context.complete(code, cursor)

    async def inspect(self, code: str, cursor: int, *, detail: int = 0) -> Inspection:
        return await self._context.inspect(code, cursor, detail=detail)

    async def is_complete(self, code: str) -> Judgement:
        return await self._context.is_complete(code)

    async def history(self, most: int = 100) -> tuple[HistoryEntry, ...]:
        return await self._context.history(most)

    async def fork(self) -> LentContext:
        async with self._commands.place(self._owner):
            return LentContext(await self._context.fork(), self._commands, self._owner)

    async def checkpoint(self) -> Checkpoint:
        async with self._commands.place(self._owner):
            return await self._context.checkpoint()

    async def rollback(self, checkpoint: Checkpoint) -> None:
        async with self._commands.place(self._owner):
            await self._context.rollback(checkpoint)

    async def discard(self, checkpoint: Checkpoint) -> None:
        await self._context.discard(checkpoint)

    async def checkpoints(self) -> tuple[Checkpoint, ...]:
        return await self._context.checkpoints()

    async def ended(self) -> ContextEnding:
        return await self._context.ended()

    async def close(self) -> None:
        """End it: the context is its user's, as the box is not."""
        await self._context.close()
