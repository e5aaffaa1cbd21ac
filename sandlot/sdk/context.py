"""Context: an interpreter of a sandbox as people hold it in ordinary code; the twin of `async_context`."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Generator, Optional, Tuple, Union

from sandlot.client.context import RemoteContext
from sandlot.contracts.cell_result import CellFold, CellResult
from sandlot.contracts.cells import Cell, CellEvent, InputAsked
from sandlot.contracts.contexts import (
    Checkpoint,
    Completions,
    ContextFacts,
    HistoryEntry,
    Inspection,
    Judgement,
)
from sandlot.contracts.errors import Conflict
from sandlot.contracts.quantity import Seconds

from . import cells
from .lent_context import LentContext
from .plans import Amount

if TYPE_CHECKING:
    from typing import Self

AnyContext = Union[RemoteContext, LentContext]


class Context:
    """An interpreter that keeps its state from cell to cell, made by Sandbox.context.

    Cells run one by one. Use it as a context manager, or `close` it; it ends with its sandbox at the latest.
    One thread may interrupt, or answer, what another one runs.
    """

    def __init__(self, held: AnyContext, usual: Optional[Seconds]) -> None:
        """Run cells in *held*, with the *usual* timeout."""
        self._held, self._usual = held, usual
        self.id = held.id
        self.language = held.spec.language

    @property
    def facts(self) -> ContextFacts:
        """What the interpreter says it is: language, version, shell, and what it can do."""
        return self._held.facts

    def run(
        self,
        code: str,
        *,
        timeout: Amount = None,
        on_input: Optional[cells.OnInput] = None,
        store_history: bool = True,
        silent: bool = False,
    ) -> CellResult:
        """Run *code* and give what it brought forth; one that raises is a CellResult with an `error`.

        *on_input* is called with each InputAsked and gives the line; without it asking raises in the cell.
        *timeout* is "30s" or seconds from the cell's beginning, the default that of the settings: the cell is
        interrupted then, and its context killed when it does not heed that. A *silent* cell tells no result
        and is not counted. Ctrl-C interrupts the cell.
        """
        manner = cells.Manner(timeout, store_history, silent, on_input is not None)
        folded = CellFold()
        with closing(self._held.run(self._cell(code, manner))) as events:
            for event in events:
                folded.add(event)
                if on_input is not None and isinstance(event, InputAsked):
                    self._give(on_input(event))
        return folded.result

    def stream(
        self,
        code: str,
        *,
        timeout: Amount = None,
        allow_input: bool = False,
        store_history: bool = True,
        silent: bool = False,
    ) -> Generator[CellEvent, None, None]:
        """What *code* does, as it happens: Begun first, Finished last. Leaving early interrupts it.

        With *allow_input* an InputAsked is to be followed by `answer`. Otherwise as `run`.
        """
        manner = cells.Manner(timeout, store_history, silent, allow_input)
        with closing(self._held.run(self._cell(code, manner))) as events:
            yield from events

    def answer(self, text: str) -> None:
        """Give the running cell the line it asked for. Raises Conflict when it asks for none."""
        self._held.answer(text)

    def interrupt(self) -> None:
        """Interrupt the running cell; state stays. Nothing happens when none runs."""
        self._held.interrupt()

    def restart(self) -> None:
        """Another interpreter in its place, without its state; what runs or waits ends as DIED."""
        self._held.restart()

    def complete(self, code: str, cursor: Optional[int] = None) -> Completions:
        """What could stand at *cursor*, by default at the end, of *code*."""
        return self._held.complete(code, cells.cursor_in(code, cursor))

    def inspect(self, code: str, cursor: Optional[int] = None, *, detail: int = 0) -> Inspection:
        """What is known of the name at *cursor*, by default at the end; *detail* 1 adds its source."""
        return self._held.inspect(code, cells.cursor_in(code, cursor), detail=detail)

    def is_complete(self, code: str) -> Judgement:
        """Whether *code* can run as it stands."""
        return self._held.is_complete(code)

    def history(self, most: int = 100) -> Tuple[HistoryEntry, ...]:
        """The last *most* cells that were kept, oldest first."""
        return self._held.history(most)

    def fork(self) -> Context:
        """Another context with the state of this one, in milliseconds; from now on both go apart.

        It is a copy-on-write fork: it draws the same random numbers, and shares files that are open. Raises
        Conflict while a cell runs, and where threads, child processes, sockets or files open for writing
        make a copy unsafe, naming them. Close it, as any context.
        """
        return Context(self._held.fork(), self._usual)

    def checkpoint(self) -> Checkpoint:
        """Keep the state there is now, to go back to by `rollback`; it ends with the context. As `fork`."""
        return self._held.checkpoint()

    def rollback(self, checkpoint: Checkpoint) -> None:
        """Go on with the state of *checkpoint*, which stays; what runs or waits ends as DIED.

        It also brings back a context whose interpreter has died.
        """
        self._held.rollback(checkpoint)

    def discard(self, checkpoint: Checkpoint) -> None:
        """Keep it no longer; idempotent."""
        self._held.discard(checkpoint)

    def checkpoints(self) -> Tuple[Checkpoint, ...]:
        """Those that are kept, oldest first."""
        return self._held.checkpoints()

    def close(self) -> None:
        """End it, with everything it started; idempotent."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_why: object) -> None:
        self.close()

    def _cell(self, code: str, manner: cells.Manner) -> Cell:
        return cells.cell_for(code, manner, self._usual)

    def _give(self, line: str) -> None:
        with suppress(Conflict):  # it was interrupted while the line was thought about: its end tells
            self._held.answer(line)
