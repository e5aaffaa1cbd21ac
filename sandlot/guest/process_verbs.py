"""The verbs on processes that already run: list, signal, input, wait, output."""

from __future__ import annotations

from . import refusal
from .processes import row
from .refusal import Refusal
from .streams import Conversation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from .processes import Background, Table
    from .streams import Stream
    from .tasks import Work

_PIECE = 65536


def listed(table: Table, _request: Dict[str, Any]) -> Work:
    """`processes`: {"processes": [...]}."""
    yield from ()
    return {"processes": table.rows()}


def signalled(table: Table, request: Dict[str, Any]) -> Work:
    """`process_signal {process, signal}`: to the main process and its group, until it has ended."""
    yield from ()
    process = table.named(request)
    number = refusal.field(request, "signal", int)
    if not 1 <= number <= 64:
        raise Refusal("invalid", f"{number} is no signal; use 1 to 64")
    process.signal(number)
    return {}


def output(table: Table, request: Dict[str, Any]) -> Work:
    """`process_output {process, offset}`: what it has said on both streams, in order, as OUTPUT.

    DONE tells `next`, the offset to ask for next, and `dropped`, the bytes lost before the first piece.
    """
    ring = table.background(table.named(request).name).ring
    offset = refusal.field(request, "offset", int, 0)
    if offset < 0:
        raise Refusal("invalid", f"offset {offset} is negative")
    end, dropped = ring.end, 0
    offset = min(offset, end)
    while offset < end:
        begin, piece = ring.read(offset, min(_PIECE, end - offset))
        dropped += begin - offset
        offset = begin + len(piece)
        yield piece
    return {"next": offset, "dropped": dropped}


class ProcessInput(Conversation):
    """`process_input {process, end}`: INPUT goes to its standard input; with *end*, INPUT_END closes that."""

    def __init__(self, stream: Stream, request: Dict[str, Any], table: Table) -> None:
        """Parse; raises Refusal."""
        super().__init__(stream)
        self._process = table.named(request)
        self._ends: bool = refusal.field(request, "end", bool, False)

    def start(self) -> None:
        """Wait for input."""

    def input(self, data: bytes) -> None:
        """Pass it on; credit returns as the process takes it."""
        self._process.feed.put(data, self.stream.consumed)

    def input_end(self) -> None:
        """Everything is queued."""
        if self._ends:
            self._process.feed.end()
        self.stream.done({})

    def cancel(self) -> None:
        """What was queued stays queued."""
        self.stream.done({})


class ProcessWait(Conversation):
    """`process_wait {process, timeout}`: its row as in `processes`, and the outcome as of `run` if over."""

    def __init__(self, stream: Stream, request: Dict[str, Any], table: Table) -> None:
        """Parse; raises Refusal."""
        super().__init__(stream)
        self._table = table
        self._process = table.named(request)
        self._timeout = refusal.field(request, "timeout", float, None)
        self._background: Background = table.background(self._process.name)

    def start(self) -> None:
        """Answer at once when it is over."""
        if self._process.is_over:
            self._tell()
            return
        self._background.waiting.append(self._tell)
        if self._timeout is not None:
            self._table.loop.after(max(0.0, self._timeout), self._tell)

    def cancel(self) -> None:
        """Stop waiting."""
        self._tell()

    def _tell(self) -> None:
        self.stream.done({**row(self._process), **(self._process.outcome or {})})
