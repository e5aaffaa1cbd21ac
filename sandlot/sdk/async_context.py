"""AsyncContext: an interpreter of a sandbox as people hold it in async code; the twin of `context`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, AsyncIterator, Awaitable, Optional, Tuple, Union

from sandlot.contracts.cell_result import CellFold, CellResult
from sandlot.contracts.cells import Cell, CellEvent, InputAsked
from sandlot.contracts.contexts import (
    Checkpoint,
    Completions,
    Context,
    ContextFacts,
    HistoryEntry,
    Inspection,
    Judgement,
)
from sandlot.contracts.errors import Conflict
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.streams import ended

from . import cells
from .plans import Amount

if TYPE_CHECKING:
    from typing import Self


class AsyncContext:
    """As Context, for one event loop; `async with await box.context() as context`."""

    def __init__(self, held: Context, usual: Optional[Seconds]) -> None:
        """Run cells in *held*, with the *usual* timeout."""
        self._held, self._usual = held, usual
        self.id = held.id
        self.language = held.spec.language

    @property
    def facts(self) -> ContextFacts:
        """What the interpreter says it is: language, version, shell, and what it can do."""
        return self._held.facts

    async def run(
        self,
        code: str,
        *,
        timeout: Amount = None,
        on_input: Optional[cells.AsyncOnInput] = None,
        store_history: bool = True,
        silent: bool = False,
    ) -> CellResult:
        """As Context.run."""
        manner = cells.Manner(timeout, store_history, silent, on_input is not None)
        folded = CellFold()
        async with ended(self._held.run(self._cell(code, manner))) as events:
            async for event in events:
                folded.add(event)
                if on_input is not None and isinstance(event, InputAsked):
                    await self._give(on_input(event))
        return folded.result

    async def stream(
        self,
        code: str,
        *,
        timeout: Amount = None,
        allow_input: bool = False,
        store_history: bool = True,
        silent: bool = False,
    ) -> AsyncIterator[CellEvent]:
        """As Context.stream."""
        manner = cells.Manner(timeout, store_history, silent, allow_input)
        async with ended(self._held.run(self._cell(code, manner))) as events:
            async for event in events:
                yield event

    async def answer(self, text: str) -> None:
        """As Context.answer."""
        await self._held.answer(text)

    async def interrupt(self) -> None:
        """As Context.interrupt."""
        await self._held.interrupt()

    async def restart(self) -> None:
        """As Context.restart."""
        await self._held.restart()

    async def complete(self, code: str, cursor: Optional[int] = None) -> Completions:
        """As Context.complete."""
        return await self._held.complete(code, cells.cursor_in(code, cursor))

    async def inspect(self, code: str, cursor: Optional[int] = None, *, detail: int = 0) -> Inspection:
        """As Context.inspect."""
        return await self._held.inspect(code, cells.cursor_in(code, cursor), detail=detail)

    async def is_complete(self, code: str) -> Judgement:
        """As Context.is_complete."""
        return await self._held.is_complete(code)

    async def history(self, most: int = 100) -> Tuple[HistoryEntry, ...]:
        """As Context.history."""
        return await self._held.history(most)

    async def fork(self) -> AsyncContext:
        """As Context.fork."""
        return AsyncContext(await self._held.fork(), self._usual)

    async def checkpoint(self) -> Checkpoint:
        """As Context.checkpoint."""
        return await self._held.checkpoint()

    async def rollback(self, checkpoint: Checkpoint) -> None:
        """As Context.rollback."""
        await self._held.rollback(checkpoint)

    async def discard(self, checkpoint: Checkpoint) -> None:
        """As Context.discard."""
        await self._held.discard(checkpoint)

    async def checkpoints(self) -> Tuple[Checkpoint, ...]:
        """As Context.checkpoints."""
        return await self._held.checkpoints()

    async def close(self) -> None:
        """As Context.close."""
        await self._held.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_why: object) -> None:
        await self.close()

    def _cell(self, code: str, manner: cells.Manner) -> Cell:
        return cells.cell_for(code, manner, self._usual)

    async def _give(self, line: Union[str, Awaitable[str]]) -> None:
        text = line if isinstance(line, str) else await line
        with suppress(Conflict):  # it was interrupted while the line was thought about: its end tells
            await self._held.answer(text)
