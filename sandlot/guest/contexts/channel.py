"""The lines a context exchanges with its host: requests in, events out, each one JSON object.

A line that was begun and could not be ended, because a signal handler raised in the middle of it, is called
off by CANCEL at its end. What fits a pipe's atomic write (PIPE_BUF, pipe(7)) is written whole or not at all.

Short output alone is not worth waking anybody for: the agent comes to look for it within a moment, and at
once when the bell tells that there is something else, as there mostly is (`guest.ordered`).
"""

from __future__ import annotations

import os

from ...wire import json_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _thread
    from typing import Any, Dict, List, Optional, Tuple
else:
    import _thread

CANCEL = b"\x18\n"
LARGEST_LINE = 8 * 2**20
_READ_SIZE = 65536
_PIPE_BUF = 4096
_SILENT = ("begun", "text")
_LONGEST_REQUEST = 2**26


class Channel:
    """Both directions. Events may come from any thread, requests are read by one."""

    def __init__(self, requests: int, events: int, bell: int) -> None:
        """Take the descriptors over; *bell* is -1 where there is none."""
        self._requests, self._events, self._bell = requests, events, bell
        self._received = bytearray()
        self._lock = _thread.RLock()
        self._waiting: List[bytes] = []
        self._is_writing = False
        self._telling = 0  # how deep the main thread is in `tell`
        self._is_breakable = self._is_put_off = False
        self._main = _thread.get_ident()

    @property
    def is_left(self) -> bool:
        """This process is a fork of the context: it has no say in it."""
        return self._events < 0

    @property
    def requests(self) -> int:
        """The descriptor that becomes readable when a request comes."""
        return self._requests

    @property
    def descriptors(self) -> Tuple[int, int, int]:
        """All there are."""
        return self._requests, self._events, self._bell

    @property
    def has_request(self) -> bool:
        """A whole request was read ahead."""
        return b"\n" in self._received

    def leave(self) -> None:
        """Have no part in the context any more; for a fork of its process."""
        for descriptor in self.descriptors:
            if descriptor >= 0:
                os.close(descriptor)
        self._requests = self._events = self._bell = -1
        self._lock = _thread.RLock()  # another thread may have held it
        self._waiting, self._is_writing = [], False

    def move(self, requests: int, events: int, bell: int) -> None:
        """Go on with other ends; for a copy of the context, to which nothing was said yet."""
        self.leave()
        self._requests, self._events, self._bell = requests, events, bell
        self._received.clear()

    def tell(self, event: Dict[str, Any]) -> None:
        """Send one event. Raises JsonError for what has no JSON form, ValueError for a line too long."""
        line = json_object.render(event) + b"\n"
        if len(line) > LARGEST_LINE:
            raise ValueError(f"an event of {len(line)} bytes is too long: {LARGEST_LINE} at most")
        is_main = _thread.get_ident() == self._main
        self._telling += is_main
        try:
            self._put(line)
            if event["event"] not in _SILENT or len(line) > _PIPE_BUF:
                self._ring()
        finally:
            self._telling -= is_main
        if is_main and self._is_put_off and not self._telling:
            self._is_put_off = False
            raise KeyboardInterrupt

    def puts_off(self) -> bool:
        """Whether an interrupt would come at a bad moment; then `tell` raises it when it is done.

        While a write waits for the host to read, the moment is good.
        """
        self._is_put_off = self._telling > 0 and not self._is_breakable
        return self._is_put_off

    def _put(self, line: bytes) -> None:
        with self._lock:
            self._waiting.append(line)
            if self._is_writing:  # a signal handler that prints while this very thread writes
                return
            try:
                self._is_writing = True
                while self._waiting:
                    self._write(self._waiting.pop(0))
            finally:
                self._is_writing = False

    def _ring(self) -> None:
        try:
            os.write(self._bell, b"!")
        except OSError:  # it rings already, or there is none
            return

    def ask(self) -> Optional[Dict[str, Any]]:
        """Wait for the next request; None when there will be none."""
        while b"\n" not in self._received:
            if self._requests < 0:
                return None
            data = os.read(self._requests, _READ_SIZE)
            if not data or len(self._received) > _LONGEST_REQUEST:
                return None
            self._received += data
        line, _, rest = self._received.partition(b"\n")
        self._received = rest
        return json_object.parse(bytes(line))

    def _write(self, line: bytes) -> None:
        left = memoryview(line)
        is_main = self._telling > 0 and _thread.get_ident() == self._main
        try:
            while left and self._events >= 0:
                self._is_breakable = is_main
                written = os.write(self._events, left)
                self._is_breakable = False
                left = left[written:]
        except BaseException:
            self._is_breakable = False
            if len(line) > _PIPE_BUF and self._events >= 0:
                os.write(self._events, CANCEL)
            raise
