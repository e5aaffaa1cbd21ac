"""A context of this process for threads: each call waits for the event loop in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generator, Tuple

from sandlot.contracts.cells import Cell, CellEvent
from sandlot.contracts.contexts import (
    Checkpoint,
    Completions,
    Context,
    ContextEnding,
    ContextFacts,
    HistoryEntry,
    Inspection,
    Judgement,
)

if TYPE_CHECKING:
    from sandlot.local.iteration import Background


class LentContext:
    """A context on the loop in the background: one thread may interrupt what another one runs."""

    def __init__(self, background: Background, context: Context) -> None:
        """Wait on *background* for *context*."""
        self._background, self._context = background, context
        self.id, self.spec = context.id, context.spec

    @property
    def facts(self) -> ContextFacts:
        """As Context.facts."""
        return self._context.facts

    def run(self, cell: Cell) -> Generator[CellEvent, None, None]:
        yield from self._background.iterate(self._context.run(cell))

    def answer(self, text: str) -> None:
        self._background.wait(self._context.answer(text))

    def interrupt(self) -> None:
        self._background.wait(self._context.interrupt())

    def restart(self) -> None:
        self._background.wait(self._context.restart())

    def complete(self, code: str, cursor: int) -> Completions:
        return self._background.wait(self._context.complete(code, cursor))

    def inspect(self, code: str, cursor: int, *, detail: int = 0) -> Inspection:
        return self._background.wait(self._context.inspect(code, cursor, detail=detail))

    def is_complete(self, code: str) -> Judgement:
        return self._background.wait(self._context.is_complete(code))

    def history(self, most: int = 100) -> Tuple[HistoryEntry, ...]:
        return self._background.wait(self._context.history(most))

    def fork(self) -> LentContext:
        return LentContext(self._background, self._background.wait(self._context.fork()))

    def checkpoint(self) -> Checkpoint:
        return self._background.wait(self._context.checkpoint())

    def rollback(self, checkpoint: Checkpoint) -> None:
        self._background.wait(self._context.rollback(checkpoint))

    def discard(self, checkpoint: Checkpoint) -> None:
        self._background.wait(self._context.discard(checkpoint))

    def checkpoints(self) -> Tuple[Checkpoint, ...]:
        return self._background.wait(self._context.checkpoints())

    def ended(self) -> ContextEnding:
        return self._background.wait(self._context.ended())

    def close(self) -> None:
        self._background.wait(self._context.close())
