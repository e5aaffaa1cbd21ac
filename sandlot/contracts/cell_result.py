"""CellResult: what a cell's events amount to, and the fold that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from .cells import (
    Begun,
    CellEvent,
    CellStatus,
    Cleared,
    Displayed,
    Finished,
    Raised,
    Resulted,
    Spilled,
    Streamed,
    StreamName,
    spilled_to_json,
)

CHART = "application/vnd.sandlot.chart+json"
"""A chart as data: {version, title, axes: [{title, x, y, series: [{type, label, points, x, y, ...}]}]}."""

TABLE = "application/vnd.sandlot.table+json"
"""A table as data: {version, schema: {fields, index}, index, rows, shape, truncated, memoryBytes}."""


@dataclass(frozen=True)
class CellResult:
    """What the events of a cell amount to; `fold` makes it.

    `displays` are in order, each as last updated; `result` is the bundle of the last expression.
    """

    status: CellStatus
    execution_count: int = 0
    stdout: str = ""
    stderr: str = ""
    result: Optional[Resulted] = None
    displays: Tuple[Displayed, ...] = ()
    error: Optional[Raised] = None
    duration: float = 0.0
    dropped: int = 0
    detail: Optional[str] = None
    spilled: Optional[Spilled] = None

    @property
    def ok(self) -> bool:
        """Whether the cell ran to its end without an exception."""
        return self.status is CellStatus.OK

    @property
    def text(self) -> str:
        """What a person would read: standard output, and behind it the result's plain text."""
        plain = "" if self.result is None else str(self.result.data.get("text/plain", ""))
        return self.stdout + plain

    @property
    def bundles(self) -> Tuple[Mapping[str, Any], ...]:
        """The bundles of everything shown, the result last."""
        shown = tuple(each.data for each in self.displays)
        return shown if self.result is None else (*shown, self.result.data)

    def representations(self, mime: str) -> Tuple[Any, ...]:
        """Everything shown that has the form *mime*, such as image/png."""
        return tuple(bundle[mime] for bundle in self.bundles if mime in bundle)

    @property
    def charts(self) -> Tuple[Mapping[str, Any], ...]:
        """Everything shown that came with a CHART, as data.

        Plain mappings, as the box told them and no more to be believed than its text. They are not made
        into types: they are bounded JSON, mostly passed on as such, and tell what a library draws, which
        grows without us.
        """
        return self._objects(CHART)

    @property
    def tables(self) -> Tuple[Mapping[str, Any], ...]:
        """Everything shown that came with a TABLE: schema, first rows and size; mappings as in `charts`."""
        return self._objects(TABLE)

    def _objects(self, mime: str) -> Tuple[Mapping[str, Any], ...]:
        return tuple(each for each in self.representations(mime) if isinstance(each, dict))

    def to_json(self) -> Dict[str, Any]:
        """As the HTTP API tells it: camelCase, milliseconds."""
        return {
            "status": self.status.value,
            "executionCount": self.execution_count,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "result": None if self.result is None else dict(self.result.data),
            "displays": [_display(each) for each in self.displays],
            "error": None if self.error is None else _error(self.error),
            "durationMs": round(self.duration * 1000, 3),
            "droppedBytes": self.dropped,
            "detail": self.detail,
            "spilled": None if self.spilled is None else spilled_to_json(self.spilled),
        }


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
            spilled=end.spilled,
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


def _display(shown: Displayed) -> Dict[str, Any]:
    return {"data": dict(shown.data), "metadata": dict(shown.metadata), "displayId": shown.display_id}


def _error(raised: Raised) -> Dict[str, Any]:
    return {"name": raised.name, "value": raised.value, "traceback": list(raised.traceback)}
