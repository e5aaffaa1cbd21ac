"""The walls inside a box, in order: this reads as the threat model; each wall's file says what it stops."""

from __future__ import annotations

import os

from . import capabilities, landlock, rlimits, seccomp, session
from .plan import Plan
from .syscalls import libc, machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Tuple

    Step = Tuple[str, Callable[[], object]]


class WallError(Exception):
    """A wall that was asked for could not be put up, so nothing may run: `wall` is its name."""

    def __init__(self, wall: str, cause: BaseException) -> None:
        super().__init__(f"the wall {wall} could not be put up: {cause}")
        self.wall = wall
        self.cause = cause


def agent(plan: Plan) -> List[str]:
    """Put up the agent's own walls; returns their names. Raises WallError, after which the agent must exit.

    No seccomp: the agent forks payloads that must still be able to take their own walls, and what it
    runs is ours. It keeps terminals, since it opens them for payloads.
    """
    devices = landlock.DEVICES + landlock.TERMINALS
    return _put_up(
        plan,
        [
            ("no_new_privs", session.forbid_new_privileges),
            ("landlock", lambda: _confine(plan, devices)),
            ("dumpable", session.forbid_dumping),
        ],
    )


def payload(plan: Plan, *, parent: Optional[int] = None) -> List[str]:
    """Put up all inner walls on a freshly forked payload; returns their names.

    parent: pid of the supervisor, to notice that it died before this process could be tied to it.
    Raises WallError, after which the process must exit without running anything. Each wall can be undone
    by none after it, and seccomp comes last because it refuses what the others need.
    """
    devices = landlock.DEVICES + landlock.TERMINALS if plan.ipc else landlock.DEVICES
    return _put_up(
        plan,
        [
            ("session", lambda: _stand_alone(parent)),
            ("rlimits", lambda: rlimits.lower(plan.rlimits)),
            ("capabilities", capabilities.drop_all),
            ("no_new_privs", session.forbid_new_privileges),
            ("landlock", lambda: _confine(plan, devices)),
            ("dumpable", session.forbid_dumping),
            ("seccomp", lambda: seccomp.install(plan.network, ipc=plan.ipc)),
        ],
    )


def prepare(plan: Plan) -> None:
    """Do once, in the process that will fork payloads, what `payload` would repeat in each; nothing goes up.

    Saves each payload about a millisecond. Raises WallError where this machine cannot have the wall.
    """
    _put_up(
        plan,
        [
            ("no_new_privs", libc),
            ("rlimits", rlimits.prepare),
            ("seccomp", lambda: seccomp.filter_for(plan.network, plan.ipc, machine())),
        ],
    )


def _put_up(plan: Plan, steps: List[Step]) -> List[str]:
    asked = [(wall, build) for wall, build in steps if wall in plan.walls]
    for wall, build in asked:
        _build(wall, build)
    return [wall for wall, _ in asked]


def _build(wall: str, build: Callable[[], object]) -> None:
    try:
        build()
    except (OSError, ValueError, MemoryError) as cause:
        raise WallError(wall, cause) from cause


def _stand_alone(parent: Optional[int]) -> None:
    session.lead()
    session.die_with_parent(parent)


def _confine(plan: Plan, devices: Tuple[str, ...]) -> None:
    shared_memory = ("/dev/shm",) if plan.ipc and os.path.isdir("/dev/shm") else ()
    writable = plan.writable + shared_memory
    landlock.restrict(plan.readable, writable, devices=devices, tcp=plan.network != "none")
