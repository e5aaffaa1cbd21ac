"""What IPython does about every cell, without what most cells have no use for; parts as in ipython_parts.

It tokenizes each cell, in Python, to find its own syntax, and compiles it once more to find an `await`: more
than half of what `print(1)` costs. What is passed by here, no transformer of its own would change
(IPython.core.inputtransformer2).
"""

from __future__ import annotations

import contextlib
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional

    class _Manager:
        """Stands for IPython's TransformerManager."""

        cleanup_transforms: List[Any]
        line_transforms: List[Any]
        token_transformers: List[Any]

        def transform_cell(self, cell: str) -> str:
            """The cell as Python."""

    class _Shell:
        """Stands for IPython's InteractiveShell."""

        def should_run_async(self, raw_cell: str, **about: Any) -> bool:
            """Whether it awaits something at its top."""

else:
    _Manager = _Shell = object

# What its syntax needs: an escape, a prompt, an indent, or a line of blanks (emptied, in strings too).
_SPECIAL = re.compile(r"[%!?\r\f\v]|>>>|In \[|\.\.\.:|\A\s|^[ \t]*[,;/]|^[ \t]+$", re.MULTILINE)


class InputPart(_Manager):
    """The manager of transformers."""

    def __init__(self) -> None:
        """With those that are known here; a cell may add others."""
        super().__init__()
        self._known = self._transformers()

    def transform_cell(self, cell: str) -> str:
        """As IPython does."""
        if not cell or _SPECIAL.search(cell) is not None or self._transformers() != self._known:
            return super().transform_cell(cell)
        return cell if cell.endswith("\n") else cell + "\n"

    def _transformers(self) -> List[Any]:
        return self.cleanup_transforms + self.line_transforms + self.token_transformers


class CellPart(_Shell):
    """The shell, as far as it runs cells."""

    def should_run_async(
        self, raw_cell: str, *, transformed_cell: Optional[str] = None, **about: Any
    ) -> bool:
        """As IPython does."""
        cell = raw_cell if transformed_cell is None else transformed_cell
        if "await" not in cell and "async" not in cell:
            return False
        return bool(super().should_run_async(raw_cell, transformed_cell=transformed_cell, **about))

    def _tee(self, **_channel: str) -> Any:
        """Keep nothing of what cells write: IPython 9 would, without end, for %notebook."""
        return contextlib.nullcontext()
