"""How a command comes to run: in the spare when there is one that fits, else in two fresh forks."""

from __future__ import annotations

from . import launch, spare
from .attended import Attended
from .orphans import Orphans
from .reaper import Reaper
from .refusal import from_os
from .spare import Order
from .supervised import Supervised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Set

    from .greeting import Box
    from .loop import Loop
    from .process import Audience, Process
    from .run_request import RunRequest
    from .spare import Spare


class Starter:
    """Starts the commands of one box, and forks the next spare when the last one was used up."""

    def __init__(self, loop: Loop, box: Box) -> None:
        """Take the box's first spare over."""
        self._loop, self._box = loop, box
        self._reaper = Reaper(loop)
        self._orphans = Orphans(loop, self._reaper, self._children)
        self._running: Set[Process] = set()
        self._is_attending = False
        self._spare: Optional[Spare] = None
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
            elif ready is None:
                self._supervise(process, source, audience)
            else:
                self._attend(process, source, audience, ready)
        except OSError as error:
            raise from_os(error, "the command cannot be started") from None
        self._running.add(process)

    def over(self, process: Process) -> None:
        """None of its processes is left."""
        self._running.discard(process)
        if not process.request.last:
            self._loop.soon(self._renew)

    def sweep(self) -> bool:
        """Kill and reap what no command is responsible for; whether any is left."""
        if self._spare is not None:
            self._spare.close()
            self._spare = None
        return self._orphans.sweep()

    def _supervise(self, process: Process, source: Optional[bytes], audience: Audience) -> None:
        ends = launch.start(process.request, source, self._box)
        care = Supervised(ends, self._loop, self._reaper, self._orphans.end)
        process.begin(care, audience)
        care.begin(process)

    def _branch(self, process: Process, audience: Audience, of: Process) -> None:
        care = of.branch()
        process.begin(care, audience)
        care.begin(process)

    def _attend(self, process: Process, source: Optional[bytes], audience: Audience, ready: Spare) -> None:
        request = process.request
        env = {**self._box.env, **request.env}
        care = Attended(
            ready,
            self._loop,
            self._reaper,
            self._orphans,
            takes_input=request.stdin,
            returns=request.call is not None,
        )
        self._is_attending = True
        process.begin(care, audience)
        limits = dict(self._box.plan.rlimits) if "rlimits" in self._box.plan.walls else None
        order = Order(request.argv, source, env, request.workdir, request.call)
        care.begin(order, request, limits, process, self._attended)

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
        return pids | {self._spare.pid} if self._spare is not None else pids
