"""The agent's end of the link: a bounded queue towards the host, and one Stream per request.

Credit bounds what a stream may have on its way; the queue bounds what all of them may have waiting in this
process. While the queue is full nobody produces: payload pipes are not read and file verbs stand still.
"""

from __future__ import annotations

import os

from ..wire import frames
from ..wire.frames import Frame, Kind
from .loop import WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

    from .loop import Loop, Timer
    from .refusal import Refusal

_FULL = 2**20
_EMPTY = 2**18
_DEAF = 2**23
_MESSAGE_LIMIT = 4096
_MOMENT = 0.001


class Outbox:
    """Frames waiting for the host to read them, written without ever blocking."""

    def __init__(self, loop: Loop, descriptor: int) -> None:
        """Take over a descriptor; it becomes non-blocking."""
        os.set_blocking(descriptor, False)
        self._loop = loop
        self._descriptor = descriptor
        self._waiting = bytearray()
        self._callbacks: List[Callable[[], None]] = []
        self._watched = False
        self._due: Optional[Timer] = None
        self.is_broken = False

    @property
    def is_full(self) -> bool:
        """Whoever may wait should not add to it now."""
        return len(self._waiting) >= _FULL

    @property
    def is_deaf(self) -> bool:
        """The host asks without reading the answers: read no more requests of it."""
        return len(self._waiting) >= _DEAF

    @property
    def is_empty(self) -> bool:
        """Everything has been written."""
        return not self._waiting

    def put(self, frame: Frame) -> None:
        """Queue a frame; dropped when nobody will ever read it."""
        if self.is_broken:
            return
        self._waiting += frames.encode(frame)
        if not self._watched:
            self._flush()

    def put_soon(self, frame: Frame) -> None:
        """Queue a frame for the next one to take along; alone it goes after a moment."""
        if self.is_broken:
            return
        self._waiting += frames.encode(frame)
        if self._due is None:
            self._due = self._loop.after(_MOMENT, self._flush)

    def resume(self, unsaid: bytes) -> None:
        """Take over what another agent of the box could not write yet."""
        self._waiting += unsaid
        self._flush()

    def when_roomy(self, callback: Callable[[], None]) -> None:
        """Call back once, when the queue is nearly empty again."""
        self._callbacks.append(callback)

    def _flush(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        try:
            while self._waiting:
                del self._waiting[: os.write(self._descriptor, self._waiting[: 2**16])]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self.is_broken = True
            self._waiting.clear()
        self._watch(wanted=bool(self._waiting))
        if len(self._waiting) <= _EMPTY and self._callbacks:
            callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                self._loop.soon(callback)

    def _watch(self, *, wanted: bool) -> None:
        if wanted and not self._watched:
            self._loop.watch(self._descriptor, WRITE, self._flush)
        elif self._watched and not wanted:
            self._loop.forget(self._descriptor)
        self._watched = wanted


class Stream:
    """One request of the host and its answers, with the credit of both directions."""

    def __init__(self, number: int, outbox: Outbox, finished: Callable[[int], None]) -> None:
        """Take the number the host gave and what to call once DONE has been queued."""
        self.number = number
        self.outbox = outbox
        self.window = frames.Window()
        self.receipts = frames.Receipts()
        self._finished = finished
        self.is_done = False

    @property
    def room(self) -> int:
        """How many bytes may be sent now: 0 without credit and while the outbox is full."""
        return 0 if self.outbox.is_full else min(self.window.available, frames.MAX_PAYLOAD)

    def send(self, kind: int, data: bytes) -> None:
        """Send at most `room` bytes as OUTPUT, ERROUT or VALUE."""
        self.window.spend(len(data))
        self.outbox.put(Frame(kind, self.number, data))

    def event(self, value: Dict[str, Any]) -> None:
        """Send an EVENT, with what follows it at once."""
        self.outbox.put_soon(frames.json_frame(Kind.EVENT, self.number, value))

    def consumed(self, amount: int) -> None:
        """Give back credit for input that has been passed on."""
        due = self.receipts.consumed(amount)
        if due and not self.is_done:
            self.outbox.put(frames.credit_frame(self.number, due))

    def done(self, value: Dict[str, Any]) -> None:
        """End the stream well; later calls are ignored."""
        self._end({"ok": value})

    def fail(self, refusal: Refusal) -> None:
        """End the stream with an error; later calls are ignored."""
        answer = refusal.to_json()
        answer["error"]["message"] = answer["error"]["message"][:_MESSAGE_LIMIT]
        self._end(answer)

    def _end(self, answer: Dict[str, Any]) -> None:
        if self.is_done:
            return
        self.is_done = True
        self.outbox.put(frames.json_frame(Kind.DONE, self.number, answer))
        self._finished(self.number)


class Conversation:
    """What answers one stream. Those who expect less than everything override less than everything."""

    def __init__(self, stream: Stream) -> None:
        """Take the stream to answer on."""
        self.stream = stream

    def start(self) -> None:
        """Begin; raises Refusal when the request cannot be done."""
        raise NotImplementedError

    def input(self, data: bytes) -> None:
        """Bytes for whoever reads input; ignored, and credited, where nobody does."""
        self.stream.consumed(len(data))

    def input_end(self) -> None:
        """No more input will come."""

    def source(self, data: bytes) -> None:
        """Bytes of a program's text; ignored where none is wanted."""
        self.stream.consumed(len(data))

    def source_end(self) -> None:
        """The program's text is complete."""

    def signal(self, number: int) -> None:
        """Send a signal to what runs on this stream, if something does."""

    def resize(self, rows: int, columns: int) -> None:
        """The terminal on this stream has another size, if it has one."""

    def roomy(self) -> None:
        """There is credit again, or room in the outbox."""

    def cancel(self) -> None:
        """Stop, undo what can be undone, and end the stream."""
        raise NotImplementedError
