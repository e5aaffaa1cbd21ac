"""A tap that waits for others: what was written to them before is passed on before what is read here.

An event says that a cell is over; by then everything its child processes wrote must have been told, though it
came by other pipes.
"""

from __future__ import annotations

import os

from .run_request import Meter
from .taps import Tap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Tuple

    from .loop import Loop
    from .taps import Sink

_READ_SIZE = 65536


class OrderedTap(Tap):
    """A Tap without limits, whose bytes come after those that `before` held when they were read."""

    def __init__(
        self,
        loop: Loop,
        descriptor: int,
        kind: int,
        sink: Sink,
        before: Tuple[Tap, ...],
        over: Callable[[], None],
    ) -> None:
        """Own the descriptor; *before* are taps of the same sink, *over* is called when nobody writes."""
        self._before, self._over = before, over
        self._held = b""
        self._owed: List[int] = []
        super().__init__(loop, descriptor, kind, Meter(None, None), sink)

    def resume(self) -> None:
        super().resume()
        if self._held:
            self._readable()

    def close(self) -> None:
        self._held = b""
        super().close()

    def _pass_on(self) -> bool:
        if self.is_closed:
            return False
        if not self._held and not self._read():
            return False
        return self._settle() and self._send()

    def _read(self) -> bool:
        """Take the next bytes in hand, and count what has to go before them."""
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except BlockingIOError:
            if self._tail is not None:
                self.close()
            return False
        self._owed = [tap.waiting for tap in self._before]
        self._held = data
        if not data:
            self.close()
            self._over()
        return bool(data)

    def _settle(self) -> bool:
        """Whether all that has to go before has gone."""
        for index, tap in enumerate(self._before):
            while self._owed[index] > 0:
                passed = tap.pass_some(self._owed[index])
                if not passed:
                    return self._wait_for_room()
                self._owed[index] -= passed
        return True

    def _send(self) -> bool:
        while self._held:
            room = self._sink.room()
            if not room:
                return self._wait_for_room()
            passed, self._held = self._held[:room], self._held[room:]
            self._take(passed)
        return not self.is_closed

    def _wait_for_room(self) -> bool:
        """Until the sink says that there is some; `resume` is called then."""
        self._loop.forget(self._descriptor)
        return False
