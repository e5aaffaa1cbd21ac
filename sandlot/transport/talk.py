"""An open WebSocket as flows: one may send while another receives."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import Deque, Iterator, Optional, Union

from sandlot.contracts.errors import Conflict, ConnectionLost, TimedOut
from sandlot.wire.websocket import (
    MAX_MESSAGE,
    NORMAL,
    Close,
    Message,
    MessageReader,
    Ping,
    Pong,
    WebSocketError,
    encode,
)

from .address import Address
from .failures import broken, garbled
from .stream import STEP, Stream
from .waiting import Flow

_GOODBYE_SECONDS = 1.0  # for the server to read our Close and to answer it
_MOST_WAITING = 65536  # bytes unsent, beyond which pings stay unanswered: who does not read cannot expect it


class Talk:
    """Messages both ways. What is to be sent waits in one buffer, so frames never mix."""

    def __init__(
        self,
        stream: Stream,
        address: Address,
        protocol: Optional[str],
        rest: bytes,
        largest: int = MAX_MESSAGE,
    ) -> None:
        """Own *stream*, on which the handshake is done; *rest* came after it. See base for *largest*."""
        self.protocol = protocol
        self.ending: Optional[Close] = None
        self._stream = stream
        self._address = address
        self._reader = MessageReader(largest)
        self._messages: Deque[Union[bytes, str]] = deque()
        self._unsent = bytearray()
        self._sending = threading.Lock()
        self._receiving = threading.Lock()
        self._users = 0  # flows that hold the descriptor
        self._counting = threading.Lock()
        self._has_said_goodbye = False
        self._is_over = False
        self._failure: Optional[str] = None
        self._take(rest)

    def send(self, message: Union[bytes, str]) -> Flow[None]:
        """Send *message*; returns when the system has taken it. Raises ConnectionLost, InvalidSpec."""
        if self._has_said_goodbye or self._is_over:
            raise ConnectionLost(f"the WebSocket to {self._address} is closed{self._why()}: open another")
        with self._held():
            self._queue(message)
            yield from self._flush(None)

    def stands(self) -> bool:
        """Whether neither side has closed it, by what has come; pings among it are answered."""
        with self._held():
            try:
                while not self._is_over and self._listen():
                    continue
            except ConnectionLost:
                return False
            return not self._is_over

    def ping(self) -> Flow[None]:
        """Ask the server for a sign of life; what it answers is not told. Raises ConnectionLost."""
        if self._has_said_goodbye or self._is_over or len(self._unsent) >= _MOST_WAITING:
            return  # who does not read has enough to answer
        with self._held():
            self._queue(Ping())
            yield from self._flush(None)

    def receive(self, seconds: Optional[float]) -> Flow[Union[bytes, str, None]]:
        """The next message, None once it is over. Raises TimedOut, ConnectionLost, Conflict with another."""
        if not self._receiving.acquire(blocking=False):
            raise Conflict("somebody receives from this WebSocket already: let one do it")
        try:
            with self._held():
                return (yield from self._next(seconds))
        finally:
            self._receiving.release()

    def close(self, code: int = NORMAL) -> Flow[None]:
        """Say goodbye, wait a moment for the server's, let go; idempotent."""
        with self._held():
            try:
                if not self._has_said_goodbye:
                    self._say_goodbye(Close(code))
                    yield from self._part(time.monotonic() + _GOODBYE_SECONDS)
            except ConnectionLost:
                pass  # nobody is there to part from
            finally:
                self._let_go()
                self._messages.clear()
                self._failure = None

    def _part(self, deadline: float) -> Flow[None]:
        yield from self._flush(deadline)
        if self._receiving.acquire(blocking=False):
            try:
                while not self._is_over and (yield from self._heard(deadline)):
                    self._messages.clear()  # so that a talkative server fills nothing
            finally:
                self._receiving.release()

    def _next(self, seconds: Optional[float]) -> Flow[Union[bytes, str, None]]:
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self._messages:
            if self._failure is not None:
                raise ConnectionLost(self._failure)
            if self._is_over:
                return None
            if not (yield from self._heard(deadline)):
                raise TimedOut(f"{self._address} sent no message within {seconds:g} seconds")
        return self._messages.popleft()

    def _heard(self, deadline: Optional[float]) -> Flow[bool]:
        """Wait until something arrives; False when the time ran out."""
        while not self._listen():
            is_flushed = self._push()
            wanted = self._stream.ready(read=True, write=not is_flushed, seconds=_left(deadline))
            if not (yield wanted):
                return False
        return True

    def _flush(self, deadline: Optional[float]) -> Flow[None]:
        while not self._push():
            if not (yield self._stream.ready(write=True, seconds=_left(deadline))):
                return

    def _push(self) -> bool:
        """Hand over what can be; whether nothing is left."""
        with self._sending:
            while self._unsent:
                try:
                    count = self._stream.try_send(bytes(self._unsent[:STEP]))
                except OSError as error:
                    raise self._failed(broken(self._address, error)) from error
                if not count:
                    return False
                del self._unsent[:count]
            return True

    def _listen(self) -> bool:
        try:
            data = self._stream.try_receive()
        except OSError as error:
            return self._end(error)
        if data is None:
            return self._is_over
        if not data:
            return self._end(None)
        self._take(data)
        return True

    def _end(self, error: Optional[OSError]) -> bool:
        """The connection ended: as it should after our goodbye, else told as lost."""
        if not self._has_said_goodbye:
            raise self._failed(broken(self._address, error)) from error
        self._let_go()
        return True

    def _failed(self, failure: ConnectionLost, goodbye: Optional[Close] = None) -> ConnectionLost:
        """Let go because of *failure*, which whoever receives is told too."""
        if not self._has_said_goodbye:
            self._failure = failure.message
        if goodbye is not None:
            self._say_goodbye(goodbye)
        self._let_go()
        return failure

    def _take(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except WebSocketError as error:
            raise self._failed(garbled(self._address, error), Close(error.code)) from error
        for message in messages:
            self._accept(message)

    def _accept(self, message: Message) -> None:
        if isinstance(message, Close):
            self.ending = message
            self._say_goodbye(message)
            self._let_go()
        elif isinstance(message, Ping):
            if len(self._unsent) < _MOST_WAITING:
                self._queue(Pong(message.data))
                self._push()
        elif not isinstance(message, Pong):
            self._messages.append(message)

    def _say_goodbye(self, goodbye: Close) -> None:
        """Queue our Close, once, and send what can be sent at once."""
        if not self._has_said_goodbye:
            self._queue(goodbye)
            self._has_said_goodbye = True
            try:
                self._push()
            except ConnectionLost:
                pass  # what the server sent counts, not that it reads no more

    def _queue(self, message: Message) -> None:
        frame = encode(message, os.urandom(4))
        with self._sending:
            self._unsent += frame

    def _let_go(self) -> None:
        """It is over: wake whoever waits; the last to leave closes the descriptor."""
        self._is_over = True
        self._stream.hang_up()
        with self._counting:
            if not self._users:
                self._stream.close()

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._counting:
            self._users += 1
        try:
            yield
        finally:
            with self._counting:
                self._users -= 1
                if self._is_over and not self._users:
                    self._stream.close()

    def _why(self) -> str:
        if self.ending is None:
            return ""
        return f" by the server ({self.ending.code} {self.ending.reason})".replace(" )", ")")


def _left(deadline: Optional[float]) -> Optional[float]:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
