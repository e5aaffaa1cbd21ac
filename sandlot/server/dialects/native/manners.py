"""Manners: what runs know about the events they keep: those of commands, and those of cells (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from sandlot.contracts.cells import (
    Begun,
    CellEvent,
    CellStatus,
    Displayed,
    Evaluated,
    Finished,
    Raised,
    Resulted,
    Streamed,
)
from sandlot.contracts.events import (
    Event,
    Exited,
    Failed,
    Reason,
    Returned,
    Started,
    Stderr,
    Stdout,
    exit_code_of,
)
from sandlot.wire import cell_events
from sandlot.wire.events import MOST_DATA, SSE, ndjson, sse

Item = TypeVar("Item")
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Manner(Generic[Item]):
    """How events of one kind of thing, called *what*, are kept and told."""

    what: str
    is_last: Callable[[Item], bool]
    """Whether nothing follows."""
    parts: Callable[[Item], Iterator[Item]]
    """An event in pieces that readers of the wire accept."""
    size: Callable[[Item], int]
    """About how many bytes tell it."""
    ended: Callable[[float], Item]
    """The last event of one that the server ended, so many seconds after it was asked for."""
    written: Callable[[str, int, Item | Failed, str, Facts], bytes]
    """An event on a stream of a media type: with its number, the run's name and its facts."""


def _parts_of_command(event: Event) -> Iterator[Event]:
    if not isinstance(event, (Stdout, Stderr)) or len(event.data) <= MOST_DATA:
        yield event
        return
    for begin in range(0, len(event.data), MOST_DATA):
        yield replace(event, data=event.data[begin : begin + MOST_DATA])


def _size_in_command(event: Event) -> int:
    if isinstance(event, Returned):
        return event.size
    return len(event.data) if isinstance(event, (Stdout, Stderr)) else 0


def _killed(seconds: float) -> Event:
    return Exited(Reason.KILLED, exit_code_of(Reason.KILLED, None, None), duration=seconds)


def _written_of_command(media: str, number: int, event: Event, name: str, facts: Facts) -> bytes:
    """The first event tells the command's name, the last one the facts."""
    about: Facts = {}
    if isinstance(event, Started):
        about = {"exec": name} if name else {}
    elif isinstance(event, Exited):
        about = facts
    return (sse if media == SSE else ndjson)(number, event, **about)


COMMANDS: Manner[Event] = Manner(
    "command",
    lambda event: isinstance(event, (Exited, Failed)),
    _parts_of_command,
    _size_in_command,
    _killed,
    _written_of_command,
)


def _parts_of_cell(event: CellEvent) -> Iterator[CellEvent]:
    if not isinstance(event, Streamed) or len(event.text) <= cell_events.MOST_TEXT:
        yield event
        return
    for begin in range(0, len(event.text), cell_events.MOST_TEXT):
        yield replace(event, text=event.text[begin : begin + cell_events.MOST_TEXT])


def size_in_cell(event: CellEvent) -> int:
    """About how many bytes tell *event*."""
    if isinstance(event, Streamed):
        return len(event.text)
    if isinstance(event, (Displayed, Resulted, Evaluated)):
        return _extent(event.data) + _extent(event.metadata)
    return sum(map(len, event.traceback)) if isinstance(event, Raised) else 0


def _extent(value: object) -> int:
    """About how many bytes of JSON *value* takes."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, Mapping):
        return sum(len(name) + 4 + _extent(each) for name, each in value.items()) + 2
    if isinstance(value, (list, tuple)):
        return sum(_extent(each) + 1 for each in value) + 2
    return 8


def _interrupted(seconds: float) -> CellEvent:
    return Finished(CellStatus.INTERRUPTED, duration=seconds, detail="nobody read the cell's events any more")


def _written_of_cell(
    media: str, number: int, event: cell_events.TellableEvent, name: str, facts: Facts
) -> bytes:
    """The first event tells by which names the cell is answered and resumed."""
    about: Facts = {"cell": name, **facts} if isinstance(event, Begun) else {}
    return (cell_events.sse if media == SSE else cell_events.ndjson)(number, event, **about)


CELLS: Manner[CellEvent] = Manner(
    "cell",
    lambda event: isinstance(event, Finished),
    _parts_of_cell,
    size_in_cell,
    _interrupted,
    _written_of_cell,
)
