"""One request and its answer on one connection."""

from __future__ import annotations

from collections import deque
from typing import AsyncIterator, Deque, Iterator, Optional, Union

from sandlot.wire.http import Head
from sandlot.wire.http1 import Body, HttpError, ResponseParser
from sandlot.wire.http1_request import LAST_CHUNK, chunk

from .address import Address
from .failures import Lost, broken, garbled, silent
from .stream import Stream
from .waiting import Flow, Piece

_MOST_AT_ONCE = 1 << 20  # TLS takes less than 2 GiB
_MOST_WAITING = 1 << 20  # bytes of an answer that are kept while its request is still being sent
Source = Union[Iterator[bytes], AsyncIterator[bytes]]


class Conversation:
    """Sends a request and reads what comes back, the answer also while the request is being sent.

    A server may answer before it has read everything (413, 401) and close; whoever only writes then meets
    a broken pipe and never reads why. An error, or a whole answer, ends the sending (RFC 9112, 9.3); the
    beginning of another answer waits until everything is sent. `timeout` bounds every silence.
    """

    def __init__(
        self, stream: Stream, parser: ResponseParser, address: Address, timeout: Optional[float]
    ) -> None:
        """Own *stream* until the answer is read."""
        self.stream = stream
        self.parser = parser
        self.head = Head(0)  # until one has come
        self.was_sent = False
        self._address = address
        self._timeout = timeout
        self._has_begun = False  # the answer
        self._is_cut = False  # the request
        self._bodies: Deque[bytes] = deque()

    @property
    def is_reusable(self) -> bool:
        """Whether the connection is fit for another request."""
        return self.parser.is_reusable and not self._is_cut

    def begin(self, first: bytes, content: Optional[Source]) -> Flow[Head]:
        """Send *first*, then *content* in chunks, and read the head of the answer.

        Raises Lost while nothing came back, then ConnectionLost, and TimedOut; the connection is closed then.
        """
        try:
            yield from self._send(first)
            if content is not None:
                yield from self._send_content(content)
            while not self.head.status:
                yield from self._receive()
        except BaseException:
            self.stream.close()
            raise
        return self.head

    def read(self, most: int) -> Flow[bytes]:
        """The next bytes of the body, at most *most*; empty at its end. Raises ConnectionLost, TimedOut."""
        while not self._bodies and not self.parser.complete:
            yield from self._receive()
        if not self._bodies:
            return b""
        data = self._bodies.popleft()
        if len(data) > most:
            self._bodies.appendleft(data[most:])
        return data[:most]

    @property
    def _is_answered(self) -> bool:
        """Whether the server needs no more of the request."""
        return self.parser.complete or self.head.status >= 400

    def _send_content(self, content: Source) -> Flow[None]:
        while not self._is_answered:
            piece = yield Piece(content)
            self._listen_meanwhile()
            yield from self._send(LAST_CHUNK if piece is None else chunk(piece))
            if piece is None:
                return
        self._is_cut = True

    def _send(self, data: bytes) -> Flow[None]:
        left = memoryview(data)
        while left and not self._is_answered:
            try:
                count = self.stream.try_send(left[:_MOST_AT_ONCE])
            except OSError as error:
                self._hear_last_words(error)
                break
            self.was_sent = True  # TLS may have sent a part and count nothing yet
            if count:
                left = left[count:]
            elif not self._listen_meanwhile():
                yield from self._wait(read=not self._is_full, write=True)
        self._is_cut = bool(left)

    def _hear_last_words(self, error: OSError) -> None:
        """The server will not read on: what it said before is still there to be read, or *error* is told."""
        while not self.head.status:
            if not self._listen():
                raise self._lost(error) from error

    @property
    def _is_full(self) -> bool:
        return sum(map(len, self._bodies)) >= _MOST_WAITING

    def _listen_meanwhile(self) -> bool:
        return not self._is_full and self._listen()

    def _receive(self) -> Flow[None]:
        while not self._listen():
            yield from self._wait(read=True)

    def _wait(self, *, read: bool, write: bool = False) -> Flow[None]:
        if not (yield self.stream.ready(read=read, write=write, seconds=self._timeout)):
            raise silent(self._address, self._timeout)

    def _listen(self) -> bool:
        """Take what has arrived; False when nothing has."""
        try:
            data = self.stream.try_receive()
        except OSError as error:
            raise self._lost(error) from error
        if data is None:
            return False
        if not data and not self._has_begun:
            raise self._lost(None)
        self._has_begun = True
        self._parse(data)
        return True

    def _parse(self, data: bytes) -> None:
        try:
            events = self.parser.feed(data) if data else self.parser.finish()
        except HttpError as error:
            raise (garbled(self._address, error) if data else broken(self._address)) from error
        for event in events:
            if isinstance(event, Head):
                self.head = event
            elif isinstance(event, Body):
                self._bodies.append(event.data)

    def _lost(self, error: Optional[OSError]) -> Exception:
        failure = broken(self._address, error)
        return failure if self._has_begun else Lost(failure, was_sent=self.was_sent)
