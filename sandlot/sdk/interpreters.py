"""Interpreters of a sandbox that keep their state, from ordinary code; the twin of `async_interpreters`."""

from __future__ import annotations

from contextlib import closing
from pathlib import PurePosixPath
from typing import Callable, Mapping, Optional, Tuple, Union

from sandlot.contracts.capability import Feature
from sandlot.contracts.cell_result import CellResult
from sandlot.contracts.cells import OutputPage

from . import cells, plans
from .context import Context
from .programs import AnyBox

PAGE = 65_536
"""Bytes of a page of output unless another length is given."""


class Interpreters:
    """What of a Sandbox runs cells."""

    _plan: plans.Plan
    _with: Callable[[Feature], AnyBox]

    def run_code(
        self,
        code: str,
        *,
        timeout: plans.Amount = None,
        on_input: Optional[cells.OnInput] = None,
        store_history: bool = True,
        silent: bool = False,
    ) -> CellResult:
        """Run a cell in the sandbox's default context, which keeps its state and is made when it is missing.

        Everybody who uses the sandbox shares it. When its interpreter has died another one takes its place.
        Otherwise as Context.run.
        """
        context = Context(self._with(Feature.CONTEXTS).default_context(), self._plan.settings.timeout)
        return context.run(
            code, timeout=timeout, on_input=on_input, store_history=store_history, silent=silent
        )

    def output_page(self, result: CellResult, offset: int = 0, length: int = PAGE) -> OutputPage:
        """*length* bytes from *offset* of all output of a cell, of which too much came to be told.

        Of both streams, as it came. The next page begins at its `following`. Raises NotFound when nothing was
        dropped, when the box had no place for it, and when the files of later cells have taken it.
        """
        spilled = cells.spilled_of(result)
        with closing(self._with(Feature.FILES).read(spilled.path, offset, length)) as pieces:
            return cells.page_of(spilled, b"".join(pieces), offset)

    def context(
        self,
        language: str = "python",
        *,
        workdir: Union[str, PurePosixPath, None] = None,
        env: Optional[Mapping[str, str]] = None,
    ) -> Context:
        """A new interpreter of *language*, with *env* besides the sandbox's variables; close it when done.

        Raises Unsupported for a language that the environment lacks.
        """
        spec = cells.context_for(language, workdir, env)
        return Context(self._with(Feature.CONTEXTS).open_context(spec), self._plan.settings.timeout)

    def contexts(self) -> Tuple[Context, ...]:
        """Those that were opened, by whomever, and not closed; the default one too."""
        found = self._with(Feature.CONTEXTS).contexts()
        return tuple(Context(each, self._plan.settings.timeout) for each in found)
