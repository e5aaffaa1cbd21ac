"""A context on a server, for tasks: the twin of `context`."""

from __future__ import annotations

from typing import TYPE_CHECKING, AsyncGenerator, Tuple

from sandlot.contracts.cells import Cell, CellEvent
from sandlot.contracts.contexts import (
    Checkpoint,
    Completions,
    ContextEnding,
    ContextSpec,
    HistoryEntry,
    Inspection,
    Judgement,
)
from sandlot.contracts.streams import ended
from sandlot.wire.contexts import ContextRow, Question
from sandlot.wire.flows import checkpoints, contexts

from .async_driver import AsyncDriver
from .facts import end_of_context
from .kept import Place

if TYPE_CHECKING:
    from typing import Self


class AsyncRemoteContext:
    """Implements contracts.contexts.Context over a network."""

    def __init__(self, driver: AsyncDriver, sandbox: str, row: ContextRow) -> None:
        """Speak for the context that *row* tells of."""
        self.id, self.spec, self.facts = row.id, row.spec, row.facts
        self._driver, self._sandbox = driver, sandbox
        self._place = Place(sandbox, row.id)

    @classmethod
    async def start(cls, driver: AsyncDriver, sandbox: str, spec: ContextSpec) -> Self:
        """Open one in *sandbox*."""
        row = await driver.value(contexts.create(sandbox, spec))
        return cls(driver, sandbox, ContextRow(row.id, spec, row.facts))

    async def run(self, cell: Cell) -> AsyncGenerator[CellEvent, None]:
        async with ended(self._driver.cells(self._place, cell)) as events:
            async for event in events:
                yield event

    async def answer(self, text: str) -> None:
        await self._driver.value(contexts.answer(self._sandbox, self.id, text))

    async def interrupt(self) -> None:
        await self._driver.value(contexts.interrupt(self._sandbox, self.id))

    async def restart(self) -> None:
        self.facts = (await self._driver.value(contexts.restart(self._sandbox, self.id))).facts

    async def complete(self, code: str, cursor: int) -> Completions:
        return await self._driver.value(contexts.complete(self._sandbox, self.id, code, cursor))

    async def inspect(self, code: str, cursor: int, *, detail: int = 0) -> Inspection:
        question = Question(code, cursor, detail)
        return await self._driver.value(contexts.inspect(self._sandbox, self.id, question))

    async def is_complete(self, code: str) -> Judgement:
        return await self._driver.value(contexts.is_complete(self._sandbox, self.id, code))

    async def history(self, most: int = 100) -> Tuple[HistoryEntry, ...]:
        return await self._driver.value(contexts.history(self._sandbox, self.id, most))

    async def fork(self) -> Self:
        row = await self._driver.value(checkpoints.fork(self._sandbox, self.id))
        return type(self)(self._driver, self._sandbox, ContextRow(row.id, self.spec, row.facts))

    async def checkpoint(self) -> Checkpoint:
        return await self._driver.value(checkpoints.take(self._sandbox, self.id))

    async def rollback(self, checkpoint: Checkpoint) -> None:
        await self._driver.value(checkpoints.rollback(self._sandbox, self.id, checkpoint))

    async def discard(self, checkpoint: Checkpoint) -> None:
        await self._driver.value(checkpoints.discard(self._sandbox, self.id, checkpoint))

    async def checkpoints(self) -> Tuple[Checkpoint, ...]:
        return await self._driver.value(checkpoints.listing(self._sandbox, self.id))

    async def ended(self) -> ContextEnding:
        return end_of_context(await self._driver.value(contexts.ended(self._sandbox, self.id)))

    async def close(self) -> None:
        await self._driver.channels.forget(self._sandbox, self.id)
        await self._driver.value(contexts.close(self._sandbox, self.id))
