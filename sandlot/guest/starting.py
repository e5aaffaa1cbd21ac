"""How a command comes to run: in the spare when there is one that fits, else in two fresh forks."""

from __future__ import annotations

from ..wire import order
from . import launch, spare, standby
from .attended import Attended
from .orphans import Orphans
from .reaper import Reaper
from .refusal import from_os
from .standby import Standby
from .supervised import Supervised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional, Set

    from .greeting import Box
    from .loop import Loop, Timer
    from .process import Audience, Process
    from .run_request import RunRequest
    from .spare import Spare
    from .takeover import Underway

_BREATH = 0.02
"""Seconds after a context was started until the next one is: its first cell comes first."""

_KEPT = 60.0
"""Seconds that a context waits which nobody asks for."""


class Starter:
    """Starts the commands of one box, and forks the next spare when the last one was used up.

    Of a box that has opened a context it keeps the next one ready, too.
    """

    def __init__(self, loop: Loop, box: Box) -> None:
        """Take the box's first spare over."""
        self._loop, self._box = loop, box
        self._reaper = Reaper(loop)
        self._orphans = Orphans(loop, self._reaper, self._children)
        self._running: Set[Process] = set()
        self._is_attending = False
        self._spare: Optional[Spare] = None
        self._standby: Optional[Standby] = None
        self._alarm: Optional[Timer] = None
        self._keep(box.spare)
        loop.soon(self._reaper.reap)  # nobody was woken for a spare that died before there was a reaper

    @property
    def is_idle(self) -> bool:
        """No process of any command is left."""
        return not self._running

    def start(
        self, process: Process, source: Optional[bytes], audience: Audience, of: Optional[Process]
    ) -> None:
        """Start it, as a copy of the context *of* if that is given. Raises Refusal when it cannot be."""
        ready = self._taken(process.request)
        try:
            if of is not None:
                self._branch(process, audience, of)
            elif self._standby is not None and self._standby.fits(process.request, source):
                self._relieve(process, audience, self._standby)
            elif ready is None:
                self._supervise(process, source, audience)
            else:
                self._attend(process, source, audience, ready)
        except OSError as error:
            raise from_os(error, "the command cannot be started") from None
        self._running.add(process)
        if standby.is_wanted(process.request, self._box):
            self._set_alarm(_BREATH, lambda: self._stand_by(process.request, source or b""))

    def resume(self, process: Process, audience: Audience, underway: Underway) -> None:
        """Look after one that was started in a spare by another agent of the box."""
        care = self._attending(underway.spare, process.request)
        process.begin(care, audience)
        process.resume(underway)
        care.resume(underway, process, self._attended)
        self._running.add(process)

    def over(self, process: Process) -> None:
        """None of its processes is left."""
        self._running.discard(process)
        if not process.request.last:
            self._loop.soon(self._renew)

    def sweep(self) -> bool:
        """Kill and reap what no command is responsible for; whether any is left."""
        self._set_alarm(0.0, None)
        self._standby = None
        if self._spare is not None:
            self._spare.close()
            self._spare = None
        return self._orphans.sweep()

    def _supervise(self, process: Process, source: Optional[bytes], audience: Audience) -> None:
        ends = launch.start(process.request, source, self._box)
        care = Supervised(ends, self._loop, self._reaper, self._orphans.end)
        process.begin(care, audience)
        care.begin(process)

    def _relieve(self, process: Process, audience: Audience, ready: Standby) -> None:
        self._standby = None
        process.begin(ready.care, audience)
        ready.give(process)

    def _stand_by(self, request: RunRequest, source: bytes) -> None:
        if self._standby is not None and not self._standby.fits(request, source):
            self._dismiss()
        if self._standby is None:
            try:
                self._standby = Standby(
                    request, source, self._box, self._loop, self._reaper, self._orphans.end
                )
            except OSError:  # no room now: whoever asks for one waits for it
                return
        self._set_alarm(_KEPT, self._dismiss)

    def _dismiss(self) -> None:
        if self._standby is not None:
            self._standby.drop()
            self._standby = None

    def _set_alarm(self, seconds: float, callback: Optional[Callable[[], None]]) -> None:
        """There is one for what stands by: it comes, or goes."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None if callback is None else self._loop.after(seconds, callback)

    def _branch(self, process: Process, audience: Audience, of: Process) -> None:
        care = of.branch()
        process.begin(care, audience)
        care.begin(process)

    def _attend(self, process: Process, source: Optional[bytes], audience: Audience, ready: Spare) -> None:
        request = process.request
        env = {**self._box.env, **request.env}
        care = self._attending(ready, request)
        process.begin(care, audience)
        if request.argv is not None:
            text = order.execution(request.argv, env, request.workdir)
        else:
            call = None if request.call is None else request.call.told
            text = order.program(env, request.workdir, call, source or b"")
        message = order.message(dict(self._box.plan.rlimits), text)
        care.begin(message, request, process, self._attended)

    def _attending(self, ready: Spare, request: RunRequest) -> Attended:
        self._is_attending = True
        returns = request.call is not None
        return Attended(
            ready, self._loop, self._reaper, self._orphans, takes_input=request.stdin, returns=returns
        )

    def _attended(self) -> None:
        self._is_attending = False

    def _taken(self, request: RunRequest) -> Optional[Spare]:
        """The spare, for a command that it fits."""
        is_apart = request.tty is not None or request.background or request.context
        if self._spare is None or self._is_attending or is_apart:
            return None
        ready, self._spare = self._spare, None
        return ready

    def _renew(self) -> None:
        if self._spare is None and not self._is_attending:
            try:
                self._keep(spare.fork(self._box))
            except OSError:  # no room now: the next command makes its own, and says why not
                self._spare = None

    def _keep(self, ready: Optional[Spare]) -> None:
        self._spare = ready
        if ready is not None:
            self._reaper.expect(ready.pid, lambda _status, _usage: self._lost(ready))

    def _lost(self, ready: Spare) -> None:
        """It was killed while it waited: by a payload of its uid, or for memory.

        The end of the next command brings another one; at once, that would go round in circles.
        """
        if self._spare is ready:
            self._spare = None
            ready.close()

    def _children(self) -> Set[int]:
        pids = {process.child for process in self._running if process.child}
        if self._standby is not None:
            pids.add(self._standby.care.pid)
        return pids | {self._spare.pid} if self._spare is not None else pids
