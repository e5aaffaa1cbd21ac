"""Starting a command: the pipes, the two forks, and what each of the processes keeps.

agent -> supervisor -> payload. The agent keeps the near ends; the supervisor keeps a pipe to report on and
one to take orders from, and its death or the agent's ends the payload; the payload has 0, 1 and 2, and one
more to tell what its handler returned, if it has one; a context has a socket too, by which pipes for its
copies come in.
"""

from __future__ import annotations

import gc
import os

from . import descriptors, supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Tuple

    from .contexts.opening import Opening
    from .greeting import Box
    from .passing import Passing
    from .run_request import RunRequest

_PREFERRED_VICTIM = b"1000"


class Launch:
    """What supervisor and payload have to know."""

    def __init__(self, request: RunRequest, source: Optional[bytes], box: Box) -> None:
        """Take it from the request; descriptors are added by `start`."""
        self.argv = request.argv
        self.source = source
        self.env: Dict[str, str] = {**box.env, **request.env}
        self.workdir = request.workdir
        self.timeout = request.timeout
        self.terminal = request.tty is not None
        self.plan = box.plan
        self.fork = box.fork_again
        self.call = request.call
        self.opening: Optional[Opening] = None
        if request.context:
            from .contexts.opening import Opening  # here, while its file is in reach

            self.opening = Opening(request.language)
        self.stdio: Tuple[int, int, int] = (-1, -1, -1)
        self.value: Optional[int] = None
        self.passing: Optional[int] = None


class Ends:
    """The agent's side of a started command: descriptors, non-blocking, and the supervisor's pid.

    orders: as supervisor.ORDER packs them; closing kills. reports: JSON lines. stdin, stderr, value: None
    where there is none. With a terminal, stdin and stdout are its master. passing: of a context.
    """

    def __init__(self) -> None:
        """Nothing is open yet."""
        self.supervisor = 0
        self.reports = -1
        self.orders = -1
        self.stdin: Optional[int] = None
        self.stdout = -1
        self.stderr: Optional[int] = None
        self.value: Optional[int] = None
        self.passing: Optional[Passing] = None

    def close(self) -> None:
        """Give everything back; for a start that failed."""
        ours = {self.reports, self.orders, self.stdin, self.stdout, self.stderr, self.value}
        for descriptor in ours - {-1, None}:
            os.close(descriptor)  # type: ignore[arg-type]
        if self.passing is not None:
            self.passing.close()


def start(request: RunRequest, source: Optional[bytes], box: Box) -> Ends:
    """Start a command; returns in the agent. In the payload's fork it leaves by payload.Handover.

    Raises OSError when there are no more processes or descriptors to be had.
    """
    launch, ends = Launch(request, source, box), Ends()
    agent, far = os.getpid(), [box.null]
    try:
        _open_stdio(request, launch, ends, far)
        ends.reports, reporting = descriptors.pipe(far, near_reads=True)
        ends.orders, orders = descriptors.pipe(far, near_reads=False)
        # What exists now is hidden from the collector of a program that runs in the fork, and its generators
        # are never finalised there: they would undo what the agent is still doing.
        gc.freeze()
        ends.supervisor = box.fork()
    except OSError:
        gc.unfreeze()
        descriptors.close(far[1:])
        ends.close()
        raise
    if ends.supervisor == 0:
        supervisor.supervise(launch, agent, orders, reporting)
    gc.unfreeze()
    descriptors.close(far[1:])
    return ends


def _open_stdio(request: RunRequest, launch: Launch, ends: Ends, far: List[int]) -> None:
    if request.tty is not None:
        from . import terminal

        master, slave = terminal.open_pair(*request.tty)
        far.append(slave)
        os.set_blocking(master, False)
        ends.stdout, ends.stdin = master, os.dup(master)
        launch.stdio = (slave, slave, slave)
        return
    stdin = far[0]
    if request.stdin:
        ends.stdin, stdin = descriptors.pipe(far, near_reads=False)
    ends.stdout, stdout = descriptors.pipe(far, near_reads=True)
    ends.stderr, stderr = descriptors.pipe(far, near_reads=True)
    launch.stdio = (stdin, stdout, stderr)
    if request.tells:
        ends.value, launch.value = descriptors.pipe(far, near_reads=True)
    if request.context:
        from .passing import Passing

        ends.passing = Passing(far)
        launch.passing = far[-1]


def memory_priority() -> Optional[int]:
    """A descriptor of this process's /proc/self/oom_score_adj, or None."""
    try:
        return os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None


def fork(priority: Optional[int]) -> int:
    """os.fork, whose child and all it starts the OOM killer takes before the agent.

    The value is inherited, so the agent takes it for the length of the fork: its descriptor is older than the
    walls, and a payload could not open its own.
    """
    if priority is None:
        return os.fork()
    usual = os.pread(priority, 16, 0)
    os.pwrite(priority, _PREFERRED_VICTIM, 0)
    child = -1
    try:
        child = os.fork()
    finally:
        if child != 0:
            os.pwrite(priority, usual, 0)
    return child
