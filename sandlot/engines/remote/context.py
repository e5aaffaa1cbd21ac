"""A context of a sandlot server by the contract of a box, whose contexts have ended with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from sandlot.client.async_context import AsyncRemoteContext
from sandlot.contracts.cells import Cell, CellEvent, CellStatus, Finished
from sandlot.contracts.contexts import ContextEnd, ContextEnding
from sandlot.contracts.errors import BoxDied


class ServerContext(AsyncRemoteContext):
    """Implements contracts.contexts.Context; the death of the sandbox is an end like others."""

    async def run(self, cell: Cell) -> AsyncGenerator[CellEvent, None]:
        try:
            async with aclosing(super().run(cell)) as events:
                async for event in events:
                    yield event
        except BoxDied as error:
            yield Finished(CellStatus.DIED, detail=f"{ContextEnd.BOX_DIED.value}: {error.message}")

    async def ended(self) -> ContextEnding:
        try:
            return await super().ended()
        except BoxDied as error:
            return ContextEnding(ContextEnd.BOX_DIED, error.message)

    async def close(self) -> None:
        with suppress(BoxDied):
            await super().close()
