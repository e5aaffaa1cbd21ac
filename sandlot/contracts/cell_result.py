"""The fold of a cell's events into a CellResult."""

from __future__ import annotations

from typing import Iterable, List, Optional, Union

from .cells import (
    Begun,
    CellEvent,
    CellResult,
    CellStatus,
    Cleared,
    Displayed,
    Finished,
    Raised,
    Resulted,
    Streamed,
    StreamName,
)


class CellFold:
    """Takes a cell's events one by one; `result` is what they amount to so far.

    Before Finished has come the status is DIED, for that is what a cell without an end is.
    """

    def __init__(self) -> None:
        """Nothing has happened."""
        self._out: List[str] = []
        self._err: List[str] = []
        self._displays: List[Displayed] = []
        self._result: Optional[Resulted] = None
        self._error: Optional[Raised] = None
        self._count = 0
        self._end = Finished(CellStatus.DIED, detail="the events stopped before the cell's end")
        self._is_to_be_cleared = False

    def add(self, event: CellEvent) -> None:
        """Take the next event."""
        if isinstance(event, Begun):
            self._count = event.execution_count
        elif isinstance(event, Finished):
            self._end = event
        elif isinstance(event, Raised):
            self._error = event
        elif isinstance(event, Cleared):
            self._is_to_be_cleared = True
            if not event.wait:
                self._clear()
        elif isinstance(event, (Streamed, Resulted, Displayed)):
            self._clear()
            self._show(event)

    @property
    def result(self) -> CellResult:
        """All of it."""
        end = self._end
        return CellResult(
            status=end.status,
            execution_count=end.execution_count or self._count,
            stdout="".join(self._out),
            stderr="".join(self._err),
            result=self._result,
            displays=tuple(self._displays),
            error=self._error,
            duration=end.duration,
            dropped=end.dropped,
            detail=end.detail,
        )

    def _clear(self) -> None:
        if self._is_to_be_cleared:
            self._is_to_be_cleared = False
            self._out, self._err, self._displays = [], [], []

    def _show(self, event: Union[Streamed, Resulted, Displayed]) -> None:
        if isinstance(event, Streamed):
            (self._out if event.stream is StreamName.STDOUT else self._err).append(event.text)
        elif isinstance(event, Resulted):
            self._result = event
        elif event.update:
            self._update(event)
        else:
            self._displays.append(event)

    def _update(self, event: Displayed) -> None:
        shown = Displayed(event.data, event.metadata, event.display_id)
        # What an earlier cell showed is not here to be replaced; then there is nothing to tell.
        self._displays = [shown if each.display_id == event.display_id else each for each in self._displays]


def fold(events: Iterable[CellEvent]) -> CellResult:
    """The CellResult that *events* amount to; never raises, whatever is missing."""
    folded = CellFold()
    for event in events:
        folded.add(event)
    return folded.result
