"""The agent's ends of a payload's streams: output read while somebody can take it, input as it goes."""

from __future__ import annotations

import errno
import os
import sys

from .loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from typing import Callable, Deque, Optional, Protocol, Tuple

    from .loop import Loop
    from .run_request import Meter

    class Sink(Protocol):
        """Where output goes."""

        def room(self) -> int:
            """Bytes that may come now."""

        def output(self, kind: int, data: bytes) -> None:
            """Take them."""

        def flooded(self) -> None:
            """Far more than the limit was dropped; may be said more than once."""
else:
    from _collections import deque

_READ_SIZE = 65536
_FIONREAD = 0x541B  # ioctl_tty(2); a pipe answers it too
_INTEGER = 4
_TAIL = 2**21
"""Bytes read after the end of a command: twice what the largest pipe of an ordinary user holds."""

TERMINAL_GRACE = 0.1
"""Seconds a terminal has to hand over its last output; the kernel does so from a work queue."""


class Tap:
    """Reads one output of a payload and passes it on, within limits.

    Without room for more it stops reading, so the pipe fills and the payload waits; what is beyond the limit
    is read and dropped, so that a payload that talks too much still comes to its end.
    """

    def __init__(self, loop: Loop, descriptor: int, kind: int, meter: Meter, sink: Sink) -> None:
        """Own the descriptor from now on and read at once."""
        self.meter = meter
        self.is_closed = False
        self._loop = loop
        self._descriptor = descriptor
        self._kind = kind
        self._sink = sink
        self._tail: Optional[int] = None
        self._ended: Callable[[], None] = lambda: None
        self._patient = False
        self.resume()

    def resume(self) -> None:
        """There may be room again."""
        if not self.is_closed:
            self._loop.watch(self._descriptor, READ, self._readable)

    def finish(self, ended: Callable[[], None], *, patient: bool) -> None:
        """Nobody writes any more: pass on what is there, then close and call back.

        patient: output may still be on its way through a terminal.
        """
        self._ended, self._tail, self._patient = ended, _TAIL, patient
        if patient:
            self._loop.after(TERMINAL_GRACE, self._lose_patience)
        if self.is_closed:
            ended()
        else:
            self.resume()
            self._readable()

    def abandon(self) -> None:
        """Drop what is left, and say so in the meter; nothing happens when it is closed."""
        if not self.is_closed:
            self.meter.cut()
            self.close()

    def _lose_patience(self) -> None:
        self._patient = False
        self._readable()

    def close(self) -> None:
        """Stop reading; idempotent."""
        if self.is_closed:
            return
        self.is_closed = True
        self._loop.forget(self._descriptor)
        os.close(self._descriptor)
        self._ended()

    @property
    def waiting(self) -> int:
        """How many bytes lie in the pipe."""
        import fcntl

        if self.is_closed:
            return 0
        return int.from_bytes(fcntl.ioctl(self._descriptor, _FIONREAD, bytes(_INTEGER)), sys.byteorder)

    def pass_some(self, most: int) -> int:
        """Pass on at most so many bytes of those that wait; how many it was, 0 without room for any."""
        room = min(self._sink.room(), most, _READ_SIZE)
        if not room:
            return 0
        try:
            data = os.read(self._descriptor, room)
        except BlockingIOError:  # somebody else reads there too
            return most
        self._take(data)
        return len(data) or most

    def _readable(self) -> None:
        while self._pass_on() and self._tail is not None:
            pass

    def _pass_on(self) -> bool:
        """Read once; whether more may be there."""
        if self.is_closed:
            return False
        room = _READ_SIZE if self.meter.is_spent else min(self._sink.room(), _READ_SIZE)
        if room == 0:
            self._loop.forget(self._descriptor)
            return False
        try:
            data = os.read(self._descriptor, room)
        except BlockingIOError:
            if self._tail is not None and not self._patient:
                self.close()  # somebody outside this command holds the other end; it has nothing to say here
            return False
        except OSError as error:
            if error.errno != errno.EIO:  # how a terminal says that nobody has it open
                raise
            data = b""
        return self._take(data)

    def _take(self, data: bytes) -> bool:
        passed = self.meter.take(data)
        if passed:
            self._sink.output(self._kind, passed)
        if self.meter.flooded:
            self._sink.flooded()
        if self._tail is not None:
            self._tail -= len(data)
        if not data or (self._tail is not None and self._tail < 0):
            self.close()
        return not self.is_closed


class Feed:
    """Writes input to a payload as it takes it; what nobody reads is dropped and counted as taken."""

    def __init__(self, loop: Loop, descriptor: Optional[int], ending: Optional[bytes]) -> None:
        """Own the descriptor, None when the payload has no input; *ending* ends the input, None closes it."""
        self._loop = loop
        self._descriptor = descriptor
        self._ending = ending
        self._waiting: Deque[Tuple[bytes, Callable[[int], None]]] = deque()
        self._at_end = False

    def put(self, data: bytes, taken: Callable[[int], None]) -> None:
        """Queue bytes; *taken* is called with their number as they leave."""
        if self._descriptor is None or self._at_end:
            taken(len(data))
            return
        self._waiting.append((data, taken))
        if len(self._waiting) == 1:  # who reads is mostly idle: a turn of the loop would only delay it
            self._writable()
        if self._waiting and self._descriptor is not None:
            self._loop.watch(self._descriptor, WRITE, self._writable)

    def end(self) -> None:
        """No more will be put; what waits is still written."""
        if self._descriptor is None or self._at_end:
            return
        self._at_end = True
        if self._ending is not None:
            self._waiting.append((self._ending, lambda _count: None))
        self._loop.watch(self._descriptor, WRITE, self._writable)

    def put_all(self, data: bytes) -> None:
        """Write *data* and end, at once when there is room for it."""
        if self._descriptor is not None:
            self._waiting.append((data, lambda _count: None))
            self._at_end = True
            self._loop.watch(self._descriptor, WRITE, self._writable)
            self._writable()

    def close(self) -> None:
        """Give up: everything that waits counts as taken."""
        waiting, self._waiting = self._waiting, deque()
        if self._descriptor is not None:
            self._loop.forget(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
        for data, taken in waiting:
            taken(len(data))

    def _writable(self) -> None:
        if self._descriptor is None:
            return
        while self._waiting:
            data, taken = self._waiting.popleft()
            try:
                written = os.write(self._descriptor, data) if data else 0
            except BlockingIOError:
                self._waiting.appendleft((data, taken))
                return
            except OSError:  # EPIPE, or EIO from a terminal: nobody reads
                self._waiting.appendleft((data, taken))
                self.close()
                return
            if written < len(data):
                self._waiting.appendleft((data[written:], taken))
            taken(written)
        self._loop.forget(self._descriptor)
        if self._at_end and self._ending is None:
            self.close()
