"""Interpreters of a sandbox that keep their state, from async code; the twin of `interpreters`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Awaitable, Callable, Mapping, Optional, Tuple, Union

from sandlot.contracts.capability import Feature
from sandlot.contracts.cell_result import CellResult
from sandlot.contracts.cells import OutputPage
from sandlot.contracts.streams import ended

from . import cells, plans
from .async_context import AsyncContext
from .interpreters import PAGE
from .powers import PowerfulBox


class AsyncInterpreters:
    """What of an AsyncSandbox runs cells."""

    _plan: plans.Plan
    _with: Callable[[Feature], Awaitable[PowerfulBox]]

    async def run_code(
        self,
        code: str,
        *,
        timeout: plans.Amount = None,
        on_input: Optional[cells.AsyncOnInput] = None,
        store_history: bool = True,
        silent: bool = False,
    ) -> CellResult:
        """As Sandbox.run_code."""
        box = await self._with(Feature.CONTEXTS)
        context = AsyncContext(await box.default_context(), self._plan.settings.timeout)
        return await context.run(
            code, timeout=timeout, on_input=on_input, store_history=store_history, silent=silent
        )

    async def output_page(self, result: CellResult, offset: int = 0, length: int = PAGE) -> OutputPage:
        """As Sandbox.output_page."""
        spilled = cells.spilled_of(result)
        box = await self._with(Feature.FILES)
        async with ended(box.read(spilled.path, offset, length)) as pieces:
            return cells.page_of(spilled, b"".join([each async for each in pieces]), offset)

    async def context(
        self,
        language: str = "python",
        *,
        workdir: Union[str, PurePosixPath, None] = None,
        env: Optional[Mapping[str, str]] = None,
    ) -> AsyncContext:
        """As Sandbox.context."""
        spec = cells.context_for(language, workdir, env)
        box = await self._with(Feature.CONTEXTS)
        return AsyncContext(await box.open_context(spec), self._plan.settings.timeout)

    async def contexts(self) -> Tuple[AsyncContext, ...]:
        """As Sandbox.contexts."""
        box = await self._with(Feature.CONTEXTS)
        found = await box.contexts()
        return tuple(AsyncContext(each, self._plan.settings.timeout) for each in found)
