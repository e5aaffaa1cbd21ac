"""The agent: reads the host's frames, answers each stream, and outlives whatever runs in the box.

It is the box's trusted first process. It holds the channel, and nothing it starts ever does. It needs no
SIGCHLD: the end of a supervisor shows as the end of its report pipe, and orphans exist only where one died.
"""

from __future__ import annotations

import gc
import os
import sys

from ..wire import frames, order
from ..wire.frames import FrameError, Kind
from . import greeting
from .loop import READ, Loop
from .refusal import Refusal
from .streams import Outbox, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

    from ..wire.frames import Frame
    from .greeting import Box
    from .streams import Conversation
    from .takeover import Course

_IN, _OUT = 0, 1
_READ_SIZE = 2**16  # what a pipe holds; malloc maps and unmaps anything above 128 KiB
_MOST_STREAMS = 1024
_PROTOCOL_BROKEN = 3
_UMASK = 0o022


def serve() -> int:
    """Greet the host on descriptor 0, then serve it; returns the exit status of the process.

    0 when the host said goodbye or closed the channel, 3 when it broke the protocol (said on descriptor 2).
    """
    os.umask(_UMASK)
    return _guarded(lambda decoder: greeting.greet(decoder, _IN, _OUT))


def serve_parked(box: Box, own: List[str], hello: Dict[str, Any], report: Callable[[], None]) -> int:
    """As `serve`, for a box that stands before it has a host, which must say *hello*.

    own: the walls that the agent has; *report* is called when the box stands.
    """
    os.umask(_UMASK)

    def greet(decoder: frames.FrameDecoder) -> Tuple[Optional[Box], List[Frame]]:
        walls = greeting.test_walls(box, own)
        report()
        return greeting.greet_parked(box, walls, hello, decoder, _IN, _OUT)

    return _guarded(greet)


def resume(box: Box, course: Course) -> int:
    """As `serve`, for a *box* that somebody else was the agent of so far."""
    os.umask(_UMASK)
    return _guarded(lambda decoder: (box, decoder.feed(course.heard)), course)


def _guarded(
    greet: Callable[[frames.FrameDecoder], Tuple[Optional[Box], List[Frame]]],
    course: Optional[Course] = None,
) -> int:
    decoder = frames.FrameDecoder(accept=frames.FROM_HOST)
    try:
        box, early = greet(decoder)
        if box is None:
            return 0
        agent = Agent(box, decoder)
        if course is not None:
            agent.resume(course)
        agent.serve(early)
    except FrameError as error:
        _complain(f"the host broke the protocol: {error}")
        return _PROTOCOL_BROKEN
    except greeting.Unfit as error:
        _complain(str(error))
        return _PROTOCOL_BROKEN
    return 0


class Agent:
    """The streams of one host and the things they work on."""

    def __init__(self, box: Box, decoder: frames.FrameDecoder) -> None:
        """Take the channel over; greeting is done."""
        from . import verbs  # after the greeting was answered, while the host digests it

        gc.enable()
        self.loop = Loop()
        self.outbox = Outbox(self.loop, _OUT)
        self._box, self._decoder = box, decoder
        self._verbs = verbs.Verbs(box, self.loop)
        self._streams: Dict[int, Conversation] = {}
        self._latest = 0
        self._serving = True

    def resume(self, course: Course) -> None:
        """Go on where another agent of the box was."""
        self._latest = course.latest
        self.outbox.resume(course.unsaid)
        self._verbs.resume(course.commands)
        if course.run is not None:
            stream = Stream(course.run.stream, self.outbox, self._forget)
            stream.window.spend(frames.INITIAL_CREDIT - course.run.credit)
            self._streams[stream.number] = self._verbs.resumed(stream, course.run)

    def serve(self, early: List[Frame]) -> None:
        """Answer until the channel ends; then nothing that was started is left. Raises FrameError."""
        # No `finally` here: a payload's fork leaves through these frames (payload.Handover), and it must not
        # end what belongs to the agent.
        os.set_blocking(_IN, False)
        self._listen()
        try:
            for frame in early:
                self._receive(frame)
            while (
                self._serving
                and not self.outbox.is_broken
                and not (self._verbs.is_over and self.outbox.is_empty)
            ):
                self.loop.turn()
        except FrameError:
            self._verbs.end()
            raise
        self._verbs.end()

    def _listen(self) -> None:
        self.loop.watch(_IN, READ, self._read)

    def _read(self) -> None:
        if self.outbox.is_deaf:
            self.loop.forget(_IN)
            self.outbox.when_roomy(self._listen)
            return
        try:
            data = os.read(_IN, _READ_SIZE)
        except BlockingIOError:
            return
        if not data:
            self._serving = False
            self.loop.forget(_IN)
            self._decoder.finish()
            return
        for frame in self._decoder.feed(data):
            self._receive(frame)

    def _receive(self, frame: Frame) -> None:
        if frame.kind == Kind.HELLO:
            raise FrameError("a second HELLO")
        if frame.kind == Kind.MOVED:
            self._box.moved()
            return
        if frame.kind == Kind.CLAIM:
            self._box.claim(order.limits_of(frame.payload))
            return
        if frame.kind in (Kind.OPEN, Kind.ORDER):
            self._open(frame)
            return
        conversation = self._streams.get(frame.stream)
        if conversation is not None:  # else it is over, and the host does not know yet
            self._tell(conversation, frame)

    def _open(self, frame: Frame) -> None:
        if not self._box.is_claimed:
            raise FrameError("a request before the box was claimed")
        if frame.stream <= self._latest or frame.stream % 2 == 0:
            raise FrameError(f"stream {frame.stream} cannot be opened after {self._latest}")
        request = frames.parse_json(frame.payload) if frame.kind == Kind.OPEN else order.parse(frame.payload)
        self._latest = frame.stream
        stream = Stream(frame.stream, self.outbox, self._forget)
        try:
            if len(self._streams) >= _MOST_STREAMS:
                raise Refusal("failed", f"{_MOST_STREAMS} requests are already open; finish some first")
            conversation = (
                self._verbs.ordered(stream, request)
                if isinstance(request, order.Order)
                else self._verbs.conversation(stream, request)
            )
            self._streams[frame.stream] = conversation
            conversation.start()
        except Refusal as refusal:
            stream.fail(refusal)

    def _forget(self, number: int) -> None:
        self._streams.pop(number, None)

    def _tell(self, conversation: Conversation, frame: Frame) -> None:
        if frame.kind in {Kind.INPUT, Kind.SOURCE}:
            conversation.stream.receipts.arrived(len(frame.payload))
        if frame.kind == Kind.INPUT:
            conversation.input(frame.payload)
        elif frame.kind == Kind.INPUT_END:
            conversation.input_end()
        elif frame.kind == Kind.SOURCE:
            conversation.source(frame.payload)
        elif frame.kind == Kind.SOURCE_END:
            conversation.source_end()
        elif frame.kind == Kind.CREDIT:
            conversation.stream.window.grant(frames.parse_credit(frame.payload))
            conversation.roomy()
        elif frame.kind == Kind.SIGNAL:
            conversation.signal(_number(frame, "signal", 1, 64))
        elif frame.kind == Kind.RESIZE:
            conversation.resize(_number(frame, "rows", 1, 65535), _number(frame, "columns", 1, 65535))
        else:
            conversation.cancel()


def _number(frame: Frame, name: str, least: int, most: int) -> int:
    value = frames.parse_json(frame.payload).get(name)
    if type(value) is not int or not least <= value <= most:
        raise FrameError(f"{name} is {value!r}; it must be an integer from {least} to {most}")
    return value


def _complain(text: str) -> None:
    sys.stderr.write(f"sandlot agent: {text}\n")
    sys.stderr.flush()
