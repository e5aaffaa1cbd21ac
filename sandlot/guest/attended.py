"""A command in a spare payload: the agent looks after it itself, without a supervisor between them.

Only one at a time: what its processes leave behind becomes a child of the agent, and nothing but the fact
that it is the only one tells whose it was. Others that run meanwhile have supervisors, which adopt theirs.
"""

from __future__ import annotations

import os

from ..wire import json_object
from . import spare, supervisor
from .loop import READ, now
from .signals import SIGKILL
from .taps import Feed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Protocol

    from .loop import Loop, Timer
    from .orphans import Orphans
    from .passing import Passing
    from .reaper import Reaper
    from .run_request import RunRequest
    from .spare import Spare
    from .supervised import Supervised
    from .takeover import Underway

    class Patron(Protocol):
        """Whose command it is."""

        def heard(self, report: Dict[str, Any]) -> None:
            """As a supervisor reports: started, failed, ended."""

        def gone(self) -> None:
            """Nothing of it is left."""


_READ_SIZE = 65536
_PAUSE = 0.005
"""Seconds between two looks at what a command left, within its grace: no signal tells of grandchildren."""


class Attended:
    """One command, from its order to the end of everything that descends from it.

    It has the descriptors of a launch.Ends, and takes the same orders as a supervisor.
    """

    def __init__(
        self, ready: Spare, loop: Loop, reaper: Reaper, orphans: Orphans, *, takes_input: bool, returns: bool
    ) -> None:
        """Take the spare over; nothing happens before `begin`."""
        self.stdin: Optional[int] = ready.stdin if takes_input else None
        self.value: Optional[int] = ready.value if returns else None
        self.stdout = ready.stdout
        self.stderr: Optional[int] = ready.stderr
        self.pid = ready.pid
        self.passing: Optional[Passing] = None
        self.family: Optional[Supervised] = None
        self._spare = ready
        self._loop, self._reaper, self._orphans = loop, reaper, orphans
        self._heard = ready.heard
        self._cpu = -reaper.strangers_cpu
        self._by: Optional[str] = None
        self._status: Optional[int] = None
        self._usage: Any = None
        self._begun = now()
        self._seconds = 0.0
        self._deadline: Optional[Timer] = None
        self._is_ending = self._is_over = False

    def begin(
        self,
        message: bytes,
        request: RunRequest,
        patron: Patron,
        over: Callable[[], None],
    ) -> None:
        """Give the order, as wire.order.message; all else is told to *patron*. *over* is called last."""
        self._patron, self._over = patron, over
        if self.stdin is None:
            os.close(self._spare.stdin)
        if self.value is None:
            os.close(self._spare.value)
        self._reaper.expect(self.pid, self._died)
        self._loop.watch(self._spare.reports, READ, self._listen)
        orders = Feed(self._loop, self._spare.orders, None)
        orders.put_all(message)
        self._bound(request.timeout)

    def resume(self, underway: Underway, patron: Patron, over: Callable[[], None]) -> None:
        """Go on with one that was given its order, and has started, before this agent came."""
        self._patron, self._over = patron, over
        self._begun, self._cpu = underway.begun, underway.cpu
        ended = underway.ended
        if ended is not None:
            self._loop.soon(lambda: self._conclude(ended))
            return
        self._reaper.expect(self.pid, self._died)
        timeout = underway.order.timeout
        self._bound(None if timeout is None else max(0.0, self._begun + timeout - now()))

    def order(self, number: int) -> None:
        """A signal for the main process and its group, or supervisor.KILL."""
        if number == supervisor.KILL:
            self._kill("order")
        elif self._status is None:
            self._signal(number)

    def force(self) -> None:
        """Nothing is between the agent and this command that could have to be passed by."""
        self._kill("order")

    def _listen(self) -> None:
        """Its readiness, its complaint, or its silence: then it runs."""
        while True:
            try:
                data = os.read(self._spare.reports, _READ_SIZE)
            except BlockingIOError:
                return
            if not data:
                break
            self._heard += data
        self._stop_listening()
        ready, _, complaint = self._heard.partition(b"\n")
        try:
            self._cpu -= spare.ready(ready)[1]
        except ValueError:  # it never got behind its walls
            complaint = ready
        if complaint:
            self._patron.heard({"failed": json_object.parse(complaint)})
        elif ready:
            self._patron.heard({"started": self.pid})

    def _bound(self, seconds: Optional[float]) -> None:
        if seconds is not None:
            self._deadline = self._loop.after(seconds, lambda: self._kill("timeout"))

    def _stop_listening(self) -> None:
        if self._spare.reports >= 0:
            self._loop.forget(self._spare.reports)
            os.close(self._spare.reports)
            self._spare.reports = -1

    def _signal(self, number: int) -> None:
        try:
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def _kill(self, by: str) -> None:
        if self._is_over:
            return
        self._by = self._by or by
        if self._status is None:
            self._signal(SIGKILL)
        else:
            self._end_rest()

    def _died(self, status: int, usage: Any) -> None:
        self._status, self._usage = status, usage
        self.pid = 0
        self._seconds = now() - self._begun
        if self._spare.reports >= 0:
            self._listen()  # it was quick: its silence is on record before its end
        if self._deadline is not None:
            self._deadline.cancel()
        if self._by is not None:
            self._end_rest()
            return
        self._by = "self"
        self._reaper.reap()
        if not self._orphans.are_any():
            self._finish()
            return
        self._loop.after(supervisor.GRACE, self._end_rest)
        self._look_again()

    def _look_again(self) -> None:
        """What it left may end by itself within the grace."""
        if self._is_ending or self._is_over:
            return
        if self._orphans.are_any():
            self._loop.after(_PAUSE, self._look_again)
        else:
            self._finish()

    def _end_rest(self) -> None:
        if not self._is_ending and not self._is_over:
            self._is_ending = True
            self._orphans.end(self._finish)

    def _finish(self) -> None:
        if self._is_over:
            return
        self._stop_listening()
        usage = self._usage
        ended = {
            "by": self._by,
            "status": self._status,
            "cpu": max(0.0, self._cpu + usage.ru_utime + usage.ru_stime + self._reaper.strangers_cpu),
            "peak": max(usage.ru_maxrss * 1024, self._reaper.strangers_peak),
            "seconds": self._seconds,
            "leftover": False,
        }
        self._conclude(ended)

    def _conclude(self, ended: Dict[str, Any]) -> None:
        self._is_over = True
        self._patron.heard({"ended": ended})
        self._patron.gone()
        self._over()
