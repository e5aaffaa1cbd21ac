"""A tap that waits for others: what was written to them before is passed on before what is read here.

An event says that a cell is over; by then everything its child processes wrote must have been told, though it
came by other pipes.

Most cells are over in less than a millisecond and tell three events, each of which would wake the agent. So
when a cell was passed on nobody looks at the pipe until a bell rings, which it does for everything but short
output, or a moment has passed; and again when what was read will go on. Of what a program says or rings
nothing is believed by that: at worst it is told a moment later.
"""

from __future__ import annotations

import os

from ..wire.frames import Kind
from .loop import READ
from .run_request import Meter
from .taps import Tap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Tuple

    from .loop import Loop, Timer
    from .taps import Sink

_READ_SIZE = 65536
_FEW = 4096
_MOMENT = 0.001
_OF_CELLS = b'{"event":"begun",', b'{"event":"text",'


def goes_on(data: bytes) -> bool:
    """Whether more of a cell is about to follow *data*, events of it: a short cell tells its end at once."""
    return len(data) < _FEW and data.startswith(_OF_CELLS, data.rfind(b"\n", 0, -1) + 1)


class OrderedTap(Tap):
    """A Tap of events without limits, whose bytes come after those that `before` held when they were read."""

    def __init__(
        self,
        loop: Loop,
        ends: Tuple[int, Optional[int]],
        sink: Sink,
        before: Tuple[Tap, ...],
        over: Callable[[], None],
    ) -> None:
        """Own *ends*, the events and the bell; *before* are taps of the same sink, *over* is called when
        nobody writes.
        """
        descriptor, self._bell = ends
        self._before, self._over = before, over
        self._held = b""
        self._owed: List[int] = []
        self._will_go_on = False
        self._pause: Optional[Timer] = None
        super().__init__(loop, descriptor, Kind.VALUE, Meter(None, None), sink)

    def expect(self) -> None:
        """A request is about to be passed on: what comes of it is worth waiting for."""
        if not self.is_closed:
            self._quieten()
            self._wait_for_more()

    def resume(self) -> None:
        if self._pause is not None:
            return
        super().resume()
        if self._held:
            self._readable()

    def close(self) -> None:
        self._held = b""
        self._wait_no_more()
        if self._bell is not None:
            os.close(self._bell)
            self._bell = None
        super().close()

    def _wait_for_more(self) -> None:
        if self._bell is not None and self._pause is None:
            self._pause = self._loop.after(_MOMENT, self._look)
            self._loop.forget(self._descriptor)
            self._loop.watch(self._bell, READ, self._rung)

    def _wait_no_more(self) -> None:
        if self._bell is not None and self._pause is not None:
            self._pause.cancel()
            self._pause = None
            self._loop.forget(self._bell)

    def _rung(self) -> None:
        self._quieten()
        self._look()

    def _look(self) -> None:
        self._wait_no_more()
        self.resume()
        self._readable()

    def _quieten(self) -> None:
        try:
            if self._bell is not None:
                os.read(self._bell, _FEW)
        except BlockingIOError:
            return

    def _pass_on(self) -> bool:
        if self.is_closed:
            return False
        if not self._held and not self._read():
            return False
        if not self._settle() or not self._send():
            return False
        if self._will_go_on and self._tail is None:
            self._wait_for_more()
        return True

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
        self._will_go_on = goes_on(data)
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
