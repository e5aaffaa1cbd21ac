"""What was asked of a context, as values: shared by both faces."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Awaitable, Callable, Mapping, Optional, Union

from sandlot.contracts.cell_result import CellResult
from sandlot.contracts.cells import Cell, InputAsked, OutputPage, Spilled
from sandlot.contracts.contexts import PYTHON, ContextSpec
from sandlot.contracts.errors import NotFound
from sandlot.contracts.paths import WORKSPACE, sandbox_path
from sandlot.contracts.quantity import Seconds

from .plans import Amount

OnInput = Callable[[InputAsked], str]
"""Gives the line that a cell asks for; what it raises interrupts the cell."""
AsyncOnInput = Callable[[InputAsked], Union[str, Awaitable[str]]]
"""The same, which may be awaited."""


@dataclass(frozen=True)
class Manner:
    """How a cell is to run, apart from its code."""

    timeout: Amount = None
    store_history: bool = True
    silent: bool = False
    allow_input: bool = False


def cell_for(code: str, manner: Manner, usual: Optional[Seconds]) -> Cell:
    """The cell that *code* means, with the *usual* timeout unless one is given. Raises InvalidSpec."""
    return Cell(
        code,
        timeout=usual if manner.timeout is None else Seconds.parse(manner.timeout),
        store_history=manner.store_history,
        silent=manner.silent,
        allow_input=manner.allow_input,
    )


def context_for(
    language: str, workdir: Union[str, PurePosixPath, None], env: Optional[Mapping[str, str]]
) -> ContextSpec:
    """The context that is asked for. Raises InvalidSpec."""
    return ContextSpec(
        language or PYTHON, WORKSPACE if workdir is None else sandbox_path(workdir), dict(env or {})
    )


def spilled_of(result: CellResult) -> Spilled:
    """Where all output of a cell is. Raises NotFound when that is nowhere."""
    if result.spilled is not None:
        return result.spilled
    if result.dropped:
        raise NotFound(f"{result.dropped} bytes of output were dropped: the sandbox had no place for them")
    raise NotFound("nothing of the output was dropped: it is in the result's stdout and stderr")


def page_of(spilled: Spilled, data: bytes, offset: int) -> OutputPage:
    """What the bytes *data* of its file at *offset* say; a character cut at their end is left to the next."""
    end = offset + len(data)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    is_last = not data or end >= spilled.size
    text = decoder.decode(data, is_last)
    return OutputPage(text, None if is_last else end - len(decoder.getstate()[0]))


def cursor_in(code: str, cursor: Optional[int]) -> int:
    """*cursor*, or the end of *code*."""
    return len(code) if cursor is None else cursor
