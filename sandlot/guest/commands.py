"""The verb `run`: a stream on which a command is started, fed and listened to."""

from __future__ import annotations

from ..wire.frames import MAX_PAYLOAD
from ..wire.order import told
from . import run_request
from .refusal import Refusal
from .run_request import RunRequest
from .streams import Conversation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from ..wire.order import Order
    from .process import Process
    from .processes import Background, Table
    from .streams import Stream
    from .takeover import Underway

_LONGEST_SOURCE = 2**25


class Run(Conversation):
    """One run; the audience of its process. Of one in the background, only the start concerns it."""

    def __init__(self, stream: Stream, request: Dict[str, Any], table: Table) -> None:
        """Parse; raises Refusal for what could not be run as asked."""
        super().__init__(stream)
        self._request = RunRequest(request, table.box.workspace)
        self._table = table
        self._process: Optional[Process] = None
        self._background: Optional[Background] = None
        self._source = bytearray()
        self._early: List[Optional[bytes]] = []

    def start(self) -> None:
        """Start an argv at once; a program when its text is complete."""
        if self._request.argv is not None:
            self._launch(None)

    def source(self, data: bytes) -> None:
        """Collect the program's text."""
        self.stream.consumed(len(data))
        if self._process is None and self._request.argv is None:
            self._source += data
            if len(self._source) > _LONGEST_SOURCE:
                text = (
                    f"a program text is longer than {_LONGEST_SOURCE} bytes; put it into a file and run that"
                )
                self.stream.fail(Refusal("too_large", text))

    def source_end(self) -> None:
        """Start the program."""
        if self._process is None and self._request.argv is None:
            try:
                self._launch(bytes(self._source))
            except Refusal as refusal:
                self.stream.fail(refusal)

    def input(self, data: bytes) -> None:
        """Standard input; kept, against credit, while the program's text is incomplete."""
        if self._process is None:
            self._early.append(data)
        else:
            self._process.say(data, self.stream.consumed)

    def input_end(self) -> None:
        """End of standard input."""
        if self._process is None:
            self._early.append(None)
        else:
            self._process.feed.end()

    def signal(self, number: int) -> None:
        """To the main process and its group."""
        if self._process is not None:
            self._process.signal(number)

    def resize(self, rows: int, columns: int) -> None:
        """The terminal's."""
        if self._process is not None:
            self._process.resize(rows, columns)

    def cancel(self) -> None:
        """Kill it; DONE follows when nothing of it is left, output that waits is dropped."""
        if self._process is None:
            self.stream.fail(Refusal("failed", "cancelled before the program's text was complete"))
        else:
            self._process.discard()

    # As the audience of its process.

    def room(self) -> int:
        """What credit and queue allow."""
        if self._background is not None:
            return MAX_PAYLOAD
        if self.stream.outbox.is_full:
            self.stream.outbox.when_roomy(self.roomy)
        return self.stream.room

    def roomy(self) -> None:
        """Let the process's output flow again."""
        if self._process is not None:
            self._process.roomy()

    def output(self, kind: int, data: bytes) -> None:
        """Send it, or keep it."""
        if self._background is not None:
            self._background.output(data)
        else:
            self.stream.send(kind, data)

    def started(self) -> None:
        """Tell; a background request is done with that."""
        assert self._process is not None  # noqa: S101 - it is its process that calls
        self.stream.event({"event": "started", "process": self._process.name, "pid": self._process.pid})
        if self._background is not None:
            self.stream.done({"process": self._process.name})

    def finished(self) -> None:
        """Tell how it went. A background process that never started is forgotten."""
        process = self._process
        assert process is not None  # noqa: S101 - it is its process that calls
        if process.refusal is not None:
            self.stream.fail(process.refusal)
        elif self._background is None:
            self.stream.done(process.outcome or {})
        if self._background is None or process.refusal is not None:
            self._table.forget(process)
        else:
            self._background.finished()
            self._table.trim()

    def _launch(self, source: Optional[bytes]) -> None:
        process = self._process = self._table.add(self._request)
        if self._request.background:
            self._background = self._table.background(process.name)
        try:
            self._table.start(process, source, self)
        except Refusal:
            self._table.forget(process)
            raise
        for data in self._early:
            if data is None:
                self.input_end()
            else:
                self.input(data)
        self._early.clear()


class Ordered(Run):
    """A run whose order said all of it."""

    def __init__(self, stream: Stream, wanted: Order, table: Table) -> None:
        """Parse; raises Refusal."""
        fields, program = told(wanted.text)
        super().__init__(stream, run_request.of_order(wanted, fields), table)
        self._program = program

    def start(self) -> None:
        """Start it."""
        self._launch(self._program)

    def resume(self, underway: Underway) -> None:
        """Go on with one that was started by another agent of the box."""
        self._process = self._table.resumed(self._request, self, underway)
