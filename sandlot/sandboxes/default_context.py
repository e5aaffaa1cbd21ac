"""The context of a box that nobody named, for cells whose caller names none."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from sandlot.contracts.contexts import Context, ContextEnding, Contexts, ContextSpec
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import NotFound


class DefaultContext:
    """The default context of one box, which has one at most."""

    def __init__(self) -> None:
        """There is none yet."""
        self._context: Context | None = None
        self._turn = asyncio.Lock()

    async def made(self, contexts: Contexts) -> Context:
        """The one there is in *contexts*; another one where there is none, or it has died."""
        async with self._turn:
            found = await self._kept(contexts)
            if found is not None:
                if await ending_of(found) is None:
                    return found
                await found.close()
            self._context = await contexts.open_context(ContextSpec())
            return self._context

    async def found(self, contexts: Contexts) -> Context:
        """The one there is, dead or alive. Raises NotFound."""
        found = await self._kept(contexts)
        if found is None:
            raise NotFound("this sandbox has no default context yet: run a cell in it")
        return found

    async def _kept(self, contexts: Contexts) -> Context | None:
        if self._context is None:
            return None
        return next((each for each in await contexts.contexts() if each.id == self._context.id), None)


class DefaultContexts:
    """The default context of every box, for as long as anybody holds the box."""

    def __init__(self) -> None:
        """No box has one."""
        self._of: WeakKeyDictionary[Box, DefaultContext] = WeakKeyDictionary()

    def of(self, box: Box) -> DefaultContext:
        """That of *box*."""
        return self._of.setdefault(box, DefaultContext())


async def ending_of(context: Context) -> ContextEnding | None:
    """How *context* ended, as far as is known now; None while it lives."""
    asked = asyncio.ensure_future(context.ended())
    await asyncio.wait([asked], timeout=0)
    if asked.done():
        return asked.result()
    asked.cancel()
    return None
