"""Frames to streams: one greeting, then any number of requests at a time over one channel.

Theory. The host opens a stream per request and the agent ends it with DONE. Bytes flow against credit in
both directions, so what lies here unread is at most 256 KiB a stream. Events cost no credit: while many of
them wait on one stream the channel is not read, so whoever awaits events must take them at once. The agent
is taken for hostile: the first frame that breaks a rule ends the connection, and its owner kills the box.
Nothing in here believes a name, a number or a size it was sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from sandlot.wire import order
from sandlot.wire.frames import (
    FROM_AGENT,
    MAX_PAYLOAD,
    Frame,
    FrameDecoder,
    FrameError,
    Kind,
    Receipts,
    Window,
    credit_frame,
    encode,
    json_frame,
    parse_credit,
    parse_json,
)

from .channel import Channel

MAX_STREAMS = 1000
"""Requests under way at a time; the agent's own bound is 1024."""

_MANY_EVENTS = 512
_BYTES = (Kind.OUTPUT, Kind.ERROUT, Kind.VALUE)


class ConnectionEnded(Exception):
    """The link is gone; inside this room only, AgentBox tells callers why."""


class StreamEnded(Exception):
    """The agent has answered already: what was still to be sent is of no use."""


class Saying(NamedTuple):
    """One thing to be said to an agent on a stream, which fits one frame."""

    kind: int
    data: bytes = b""


class Arrival(NamedTuple):
    """One thing an agent said on a stream: bytes, or a JSON object for EVENT and DONE."""

    kind: int
    data: bytes = b""
    value: Mapping[str, Any] = {}


class Stream:
    """One request and what comes back for it. One task reads, another may send."""

    def __init__(self, number: int, connection: Connection) -> None:
        """Made by Connection.open."""
        self.number = number
        self.is_done = False
        """DONE has arrived (it may not have been received by the reader yet)."""
        self._connection = connection
        self._arrivals: deque[Arrival] = deque()
        self._events = 0
        self._window, self._receipts = Window(), Receipts()
        self._reading: asyncio.Future[None] | None = None
        self._sendable = asyncio.Event()

    async def receive(self) -> Arrival:
        """The next arrival; the last is DONE. Raises ConnectionEnded when none can come."""
        while not self._arrivals:
            if self._connection.ending is not None:
                raise ConnectionEnded(self._connection.ending)
            self._reading = asyncio.get_running_loop().create_future()
            await self._reading
        arrival = self._arrivals.popleft()
        if arrival.kind == Kind.EVENT:
            self._count_events(-1)
        elif arrival.kind in _BYTES:
            self._give_credit(len(arrival.data))
        return arrival

    async def send(self, kind: int, data: bytes) -> None:
        """Send INPUT or SOURCE bytes as credit allows. Raises StreamEnded, ConnectionEnded."""
        view = memoryview(data)
        while view:
            await self._until_sendable()
            piece = bytes(view[: min(self._window.available, MAX_PAYLOAD)])
            self._connection.post(self.spent(Saying(kind, piece)))
            await self._connection.drained()
            view = view[len(piece) :]

    def spent(self, saying: Saying) -> Frame:
        """*saying* as a frame, its bytes counted. Raises FrameError when there is less credit."""
        self._window.spend(len(saying.data))
        return Frame(saying.kind, self.number, saying.data)

    def post(self, kind: int, value: Mapping[str, Any] | None = None) -> None:
        """Send a frame that costs no credit: an end mark, SIGNAL, RESIZE, CANCEL."""
        if not self.is_done:
            frame = Frame(kind, self.number) if value is None else json_frame(kind, self.number, dict(value))
            self._connection.post(frame)

    async def finish(self) -> None:
        """Read and forget until DONE. Raises ConnectionEnded."""
        while (await self.receive()).kind != Kind.DONE:
            pass

    def arrive(self, frame: Frame) -> None:
        """Take in a frame of this stream; raises FrameError for one that breaks a rule."""
        if self.is_done:
            return
        if frame.kind == Kind.CREDIT:
            self._window.grant(parse_credit(frame.payload))
            self._sendable.set()
            return
        if frame.kind in _BYTES:
            self._receipts.arrived(len(frame.payload))
            if frame.payload:  # empty ones cost no credit and would fill the memory
                self._keep(Arrival(frame.kind, frame.payload))
            return
        self._arrive_json(frame)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._stir()
        self._sendable.set()

    def _arrive_json(self, frame: Frame) -> None:
        value = parse_json(frame.payload)
        if frame.kind == Kind.EVENT:
            self._count_events(+1)
        else:
            self.is_done = True
            self._connection.forget(self.number)
        self._keep(Arrival(frame.kind, value=value))
        self.wake()

    def _count_events(self, change: int) -> None:
        was_many, self._events = self._events >= _MANY_EVENTS, self._events + change
        if was_many != (self._events >= _MANY_EVENTS):
            self._connection.crowd(self.number, is_crowded=not was_many)

    def _keep(self, arrival: Arrival) -> None:
        self._arrivals.append(arrival)
        self._stir()

    def _stir(self) -> None:
        if self._reading is not None and not self._reading.done():
            self._reading.set_result(None)

    def _give_credit(self, amount: int) -> None:
        due = self._receipts.consumed(amount)
        if due and not self.is_done:
            self._connection.post(credit_frame(self.number, due))

    async def _until_sendable(self) -> None:
        while not self.is_done and self._connection.ending is None and not self._window.available:
            self._sendable.clear()
            await self._sendable.wait()
        if self._connection.ending is not None:
            raise ConnectionEnded(self._connection.ending)
        if self.is_done:
            raise StreamEnded


class Connection:
    """The link to one agent."""

    def __init__(self, channel: Channel, ended: Callable[[], None]) -> None:
        """Talk over *channel*, which is owned from now on.

        *ended* is called once: for the other side's end or its first breach of the protocol, not for `close`.
        """
        self.ending: str | None = None
        """Why nothing more can come; None while the link lives."""
        self.breach: str | None = None
        """Which rule the agent broke, when that ended the link."""
        self._channel, self._ended = channel, ended
        self._decoder = FrameDecoder(accept=FROM_AGENT)
        self._streams: dict[int, Stream] = {}
        self._crowded: set[int] = set()
        self._next = 1
        self._preface = b""
        self.is_claimed = False
        """Whether somebody has taken the box that was parked."""
        self._greeting: asyncio.Future[Mapping[str, Any]] | None = None

    async def greet(self, greeting: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send HELLO and return the agent's; to be bounded by the caller. Raises ConnectionEnded."""
        self._greeting = asyncio.get_running_loop().create_future()
        self._channel.start(self._received, self._end)
        self.post(json_frame(Kind.HELLO, 0, dict(greeting)))
        return await self._greeting

    def claim(self, limits: Mapping[str, int], *, is_moved: bool) -> None:
        """Send CLAIM, and MOVED before it, with the first request: nobody else waits for it."""
        moved = encode(Frame(Kind.MOVED, 0)) if is_moved else b""
        self._preface = moved + encode(Frame(Kind.CLAIM, 0, order.limits(dict(limits))))

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return not self._streams

    @property
    def is_full(self) -> bool:
        """Whether as many requests are under way as one box may have."""
        return len(self._streams) >= MAX_STREAMS

    def open(self, request: Mapping[str, Any], sayings: Iterable[Saying] = ()) -> Stream:
        """Begin a stream with *request*, and *sayings* in the same write.

        Raises ConnectionEnded, FrameError when it fits no frame or its first credit.
        """
        return self._begin(json_frame(Kind.OPEN, self._next, dict(request)), sayings)

    def order(self, wanted: order.Order) -> Stream:
        """Begin a stream with an order that says everything. Raises ConnectionEnded, FrameError."""
        return self._begin(Frame(Kind.ORDER, self._next, order.encode(wanted)))

    def _begin(self, first: Frame, sayings: Iterable[Saying] = ()) -> Stream:
        if self.ending is not None:
            raise ConnectionEnded(self.ending)
        stream = Stream(self._next, self)
        said = tuple(map(stream.spent, sayings))
        self._streams[stream.number] = stream
        self._next += 2
        self.post(first, *said)
        return stream

    def post(self, *frames: Frame) -> None:
        """Queue *frames*, in one write."""
        said, self._preface = self._preface, b""
        self._channel.write(b"".join((said, *map(encode, frames))))

    async def drained(self) -> None:
        """Wait until little is queued."""
        await self._channel.drained()

    def diagnostics(self) -> bytes:
        """The last bytes of the agent's standard error."""
        return self._channel.diagnostics()

    def close(self) -> None:
        """End the link from this side; idempotent."""
        self._stop("the link was closed")

    def forget(self, number: int) -> None:
        """The stream is done: whatever still comes for it is ignored."""
        self._streams.pop(number, None)

    def crowd(self, number: int, *, is_crowded: bool) -> None:
        """Note whether many events wait on a stream; while they do on any, nothing is read."""
        (self._crowded.add if is_crowded else self._crowded.discard)(number)
        self._channel.hold(bool(self._crowded))

    def _received(self, data: bytes) -> None:
        try:
            for frame in self._decoder.feed(data):
                self._deliver(frame)
        except FrameError as error:
            self.breach = f"the agent broke the protocol: {error}"
            self._end(self.breach)

    def _deliver(self, frame: Frame) -> None:
        if self._greeting is None or (frame.kind == Kind.HELLO) == self._greeting.done():
            raise FrameError("HELLO comes once and before everything else")
        if frame.kind == Kind.HELLO:
            self._greeting.set_result(parse_json(frame.payload))
        elif frame.stream in self._streams:
            self._streams[frame.stream].arrive(frame)
        elif frame.stream % 2 == 0 or frame.stream >= self._next:
            raise FrameError(f"stream {frame.stream} was never opened")

    def _end(self, cause: str) -> None:
        if self.ending is None:
            self._stop(cause)
            self._ended()

    def _stop(self, cause: str) -> None:
        self.ending = self.ending or cause
        self._channel.close()
        if self._greeting is not None and not self._greeting.done():
            self._greeting.set_exception(ConnectionEnded(self.ending))
        for stream in tuple(self._streams.values()):
            stream.wake()
        self._streams.clear()
