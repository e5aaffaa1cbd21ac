"""A box's contexts in the hands of a caller, and the one that nobody named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import cast
from weakref import WeakKeyDictionary

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.cells import Cell, CellEvent
from sandlot.contracts.contexts import (
    Completions,
    Context,
    ContextEnding,
    ContextFacts,
    Contexts,
    ContextSpec,
    HistoryEntry,
    Inspection,
    Judgement,
)
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import NotFound
from sandlot.contracts.streams import ended

from .gate import Gate


class DefaultContext:
    """The context that cells run in whose caller names none: a box has one at most."""

    def __init__(self) -> None:
        """There is none yet."""
        self._context: Context | None = None
        self._turn = asyncio.Lock()

    async def made(self, contexts: Contexts) -> Context:
        """The one there is in *contexts*; another one where there is none, or it has died."""
        async with self._turn:
            if (found := await self.found(contexts)) is not None:
                if await ending_of(found) is None:
                    return found
                await found.close()
            self._context = await contexts.open_context(ContextSpec())
            return self._context

    async def found(self, contexts: Contexts) -> Context | None:
        """The one there is, dead or alive; None where there is none."""
        if self._context is None:
            return None
        return next((each for each in await contexts.contexts() if each.id == self._context.id), None)


class DefaultContexts:
    """The default context of every box, for as long as the box is held by anybody."""

    def __init__(self) -> None:
        """No box has one."""
        self._of: WeakKeyDictionary[Box, DefaultContext] = WeakKeyDictionary()

    def of(self, box: Box) -> DefaultContext:
        """That of *box*."""
        return self._of.setdefault(box, DefaultContext())


class LentContexts:
    """The part of a lent box that implements Contexts.

    A cell takes a place in the gate of commands from the moment it is given to its end, a context while it
    starts.
    """

    engine: str
    features: Feature

    def __init__(self, box: Box, commands: Gate, owner: str, default: DefaultContext) -> None:
        """Lend those of *box*."""
        self._of_box = cast("Contexts", box)
        self._gate, self._whose, self._default = commands, owner, default

    async def open_context(self, spec: ContextSpec) -> Context:
        """As Contexts.open_context; raises PoolExhausted and QuotaDenied too."""
        async with self._gate.place(self._whose):
            return self._lent(await self._contexts.open_context(spec))

    async def contexts(self) -> tuple[Context, ...]:
        """As Contexts.contexts."""
        return tuple(self._lent(each) for each in await self._contexts.contexts())

    async def default_context(self, *, make: bool = True) -> Context:
        """The context of callers that name none, made when it is missing or has died.

        Without *make* it is the one there is. Raises NotFound then, and as `open_context`.
        """
        if make:
            async with self._gate.place(self._whose):
                return self._lent(await self._default.made(self._contexts))
        found = await self._default.found(self._contexts)
        if found is None:
            raise NotFound("this sandbox has no default context yet: run a cell in it")
        return self._lent(found)

    @property
    def _contexts(self) -> Contexts:
        require(Feature.CONTEXTS, self.features, engine=self.engine)
        return self._of_box

    def _lent(self, context: Context) -> LentContext:
        return LentContext(context, self._gate, self._whose)


class LentContext:
    """Implements Context by another one."""

    def __init__(self, context: Context, commands: Gate, owner: str) -> None:
        """Lend *context* to *owner*."""
        self.id, self.spec = context.id, context.spec
        self._context, self._commands, self._owner = context, commands, owner

    @property
    def facts(self) -> ContextFacts:
        """As Context.facts."""
        return self._context.facts

    async def run(self, cell: Cell) -> AsyncGenerator[CellEvent, None]:
        """As Context.run; raises PoolExhausted and QuotaDenied too."""
        async with self._commands.place(self._owner), ended(self._context.run(cell)) as events:
            async for event in events:
                yield event

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

    async def ended(self) -> ContextEnding:
        return await self._context.ended()

    async def close(self) -> None:
        await self._context.close()


async def ending_of(context: Context) -> ContextEnding | None:
    """How *context* ended, as far as is known now; None while it lives."""
    asked = asyncio.ensure_future(context.ended())
    await asyncio.wait([asked], timeout=0)
    if asked.done():
        return asked.result()
    asked.cancel()
    return None
