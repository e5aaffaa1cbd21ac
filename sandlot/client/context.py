"""A context on a server, for threads: the twin of `async_context`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Generator, Tuple

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
from sandlot.wire.contexts import ContextRow, Question
from sandlot.wire.flows import checkpoints, contexts

from .driver import Driver
from .facts import end_of_context
from .kept import Place

if TYPE_CHECKING:
    from typing import Self


class RemoteContext:
    """As contracts.contexts.Context, without async; one thread may interrupt what another one runs."""

    def __init__(self, driver: Driver, sandbox: str, row: ContextRow) -> None:
        """Speak for the context that *row* tells of."""
        self.id, self.spec, self.facts = row.id, row.spec, row.facts
        self._driver, self._sandbox = driver, sandbox
        self._place = Place(sandbox, row.id)

    @classmethod
    def start(cls, driver: Driver, sandbox: str, spec: ContextSpec) -> Self:
        """Open one in *sandbox*."""
        row = driver.value(contexts.create(sandbox, spec))
        return cls(driver, sandbox, ContextRow(row.id, spec, row.facts))

    def run(self, cell: Cell) -> Generator[CellEvent, None, None]:
        with closing(self._driver.cells(self._place, cell)) as events:
            yield from events

    def answer(self, text: str) -> None:
        self._driver.value(contexts.answer(self._sandbox, self.id, text))

    def interrupt(self) -> None:
        self._driver.value(contexts.interrupt(self._sandbox, self.id))

    def restart(self) -> None:
        self.facts = self._driver.value(contexts.restart(self._sandbox, self.id)).facts

    def complete(self, code: str, cursor: int) -> Completions:
        return self._driver.value(contexts.complete(self._sandbox, self.id, code, cursor))

    def inspect(self, code: str, cursor: int, *, detail: int = 0) -> Inspection:
        question = Question(code, cursor, detail)
        return self._driver.value(contexts.inspect(self._sandbox, self.id, question))

    def is_complete(self, code: str) -> Judgement:
        return self._driver.value(contexts.is_complete(self._sandbox, self.id, code))

    def history(self, most: int = 100) -> Tuple[HistoryEntry, ...]:
        return self._driver.value(contexts.history(self._sandbox, self.id, most))

    def fork(self) -> Self:
        row = self._driver.value(checkpoints.fork(self._sandbox, self.id))
        return type(self)(self._driver, self._sandbox, ContextRow(row.id, self.spec, row.facts))

    def checkpoint(self) -> Checkpoint:
        return self._driver.value(checkpoints.take(self._sandbox, self.id))

    def rollback(self, checkpoint: Checkpoint) -> None:
        self._driver.value(checkpoints.rollback(self._sandbox, self.id, checkpoint))

    def discard(self, checkpoint: Checkpoint) -> None:
        self._driver.value(checkpoints.discard(self._sandbox, self.id, checkpoint))

    def checkpoints(self) -> Tuple[Checkpoint, ...]:
        return self._driver.value(checkpoints.listing(self._sandbox, self.id))

    def ended(self) -> ContextEnding:
        return end_of_context(self._driver.value(contexts.ended(self._sandbox, self.id)))

    def close(self) -> None:
        self._driver.channels.forget(self._sandbox, self.id)
        self._driver.value(contexts.close(self._sandbox, self.id))
