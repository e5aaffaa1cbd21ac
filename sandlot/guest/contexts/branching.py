"""A live interpreter in two: its program forks, and the copy goes on with pipes of its own.

The agent has sent the far ends of those pipes ahead (`guest.passing`). The program forks twice, so that the
kernel makes the copy a child of the supervisor, and nothing that a cell waits for. The copy waits until that
is so and until it is known that no thread was left out; then it leaves the process group, takes its own ends
in place of its parent's, and tells the agent its pid. All walls are on it: a fork inherits every one of them.

A library may stop its threads for a fork and start them again later (OpenBLAS does), so those that nobody can
name are counted when the first fork is done: what runs then would have been left out.

The copy draws the same random numbers as its original would; `random`, which reseeds itself in a fork, too.
"""

from __future__ import annotations

import os
import sys

from ...walls import session
from .. import passing
from . import obstacles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional, Set, Tuple

LEAST_DESCRIPTOR = 64  # out of the way of those that programs count on
_ENDS = 6
_STARTED = b"+"


class Unsafe(Exception):
    """There is no copy: why, and what to do."""


class NothingGiven(Unsafe):
    """The agent sent no pipes."""


class Ends:
    """What a copy is to use: descriptors that are its own."""

    def __init__(self, given: Tuple[int, ...]) -> None:
        """Take them in the order in which guest.branched made them."""
        self.requests, self.stdout, self.stderr, self.events, self.births, self.passing = given
        self.bell = -1


class Branching:
    """The part of a context's program that copies it."""

    def __init__(self, descriptor: int) -> None:
        """Pipes come in at *descriptor*."""
        self.descriptor = descriptor
        self.is_under_way = False

    def bell(self) -> int:
        """The descriptor by which the agent is told to look at once, which comes before everything else."""
        given = passing.received(self.descriptor, 1)
        return private(given[0]) if given else -1

    def fork(self, own: Set[int]) -> Optional[Ends]:
        """In the copy its ends, here None; *own* descriptors are the program's.

        Raises Unsafe, and OSError when there is no room for another process.
        """
        given = passing.received(self.descriptor, _ENDS)
        try:
            if len(given) != _ENDS:
                raise NothingGiven("no pipes were given for a copy")
            reasons = obstacles.found({*own, *given, self.descriptor})
            if reasons:
                raise Unsafe(_told(reasons))
            if self._forked():
                return self._settled(Ends(given))
        except BaseException:
            _close(given)
            raise
        _close(given)
        return None

    def _forked(self) -> bool:
        """Whether this is the copy."""
        supervisor, drawn = os.getppid(), _drawn()
        waiting, starting = os.pipe()
        self.is_under_way = True
        try:
            between = _fork()
            if between == 0 and _is_copy(waiting, starting, supervisor):
                _redraw(drawn)
                return True
        except OSError:
            _close((waiting, starting))
            raise
        finally:
            self.is_under_way = False
        os.close(waiting)
        try:
            status = _waited(between)
            reasons = obstacles.native_threads()
            if not status and not reasons:
                os.write(starting, _STARTED)
        finally:
            os.close(starting)
        if status:
            raise OSError("there is no room for another process")
        if reasons:
            raise Unsafe(_told(reasons))
        return False

    def _settled(self, ends: Ends) -> Ends:
        """Make *ends* those of this process, and tell of it."""
        try:
            for source, target in ((ends.stdout, 1), (ends.stderr, 2)):
                os.dup2(source, target)
                os.close(source)
            ends.requests, ends.events = private(ends.requests), private(ends.events)
            os.close(self.descriptor)
            self.descriptor = private(ends.passing)
            ends.bell = self.bell()
            os.write(ends.births, b"%d\n" % os.getpid())
            os.close(ends.births)
        except BaseException:  # noqa: BLE001 - a copy that cannot be reached must not go on with the cell
            os._exit(1)
        return ends


def _told(reasons: List[str]) -> str:
    return f"it has {'; '.join(reasons)}".encode("ascii", "replace").decode()[:1000]


def private(descriptor: int) -> int:
    """*descriptor* elsewhere, where no program started from here inherits it."""
    import fcntl

    moved: int = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, LEAST_DESCRIPTOR)
    os.close(descriptor)
    return moved


def _is_copy(waiting: int, starting: int, supervisor: int) -> bool:
    """In the process between: fork the copy and end. In the copy: wait to be let go."""
    try:
        if _fork():
            os._exit(0)
        os.close(starting)
        if os.read(waiting, 1) != _STARTED:
            os._exit(0)
        os.close(waiting)
        session.lead()
        session.die_with_parent(supervisor)
    except BaseException:  # noqa: BLE001 - nothing may get out into the program of the user
        os._exit(1)
    return True


def _fork() -> int:
    # Since 3.12 it warns of threads that were there before; what counts is who is there afterwards.
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork()


def _waited(child: int) -> int:
    try:
        return os.waitpid(child, 0)[1]
    except ChildProcessError:  # by a handler of the user, for SIGCHLD
        return 0


def _drawn() -> Any:
    random: Any = sys.modules.get("random")
    return None if random is None else random.getstate()


def _redraw(state: Any) -> None:
    random: Any = sys.modules.get("random")
    if random is not None and state is not None:
        random.setstate(state)


def _close(descriptors: Tuple[int, ...]) -> None:
    for each in descriptors:
        os.close(each)
