"""The walls inside a box, in order: this reads as the threat model; each wall's file says what it stops."""

from __future__ import annotations

import os

from . import capabilities, landlock, rlimits, seccomp, session, syscalls
from .plan import Plan
from .syscalls import libc, machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional, Tuple

    Step = Tuple[str, Callable[[], object]]
    Key = Tuple[Tuple[str, ...], Tuple[str, ...], Tuple[str, ...], bool, bool]


_HIGH = 200  # where nobody puts a payload's streams
_rulesets: Dict[Key, int] = {}


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
    devices = landlock.ALL_DEVICES if plan.ipc else landlock.DEVICES + landlock.TERMINALS
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
    return stand_alone(plan, parent=parent) + enclose(plan)


STANDING_ALONE = frozenset(("session",))
"""The walls of `stand_alone`."""


def stand_alone(plan: Plan, *, parent: Optional[int]) -> List[str]:
    """The first part of `payload`: what is about the processes around this one."""
    return _put_up(plan, [("session", lambda: _stand_alone(parent))])


def enclose(plan: Plan) -> List[str]:
    """The other part of `payload`: the same system calls in every fork of one process."""
    return _put_up(
        plan,
        [
            ("rlimits", lambda: rlimits.lower(plan.rlimits)),
            ("capabilities", capabilities.drop_all),
            ("no_new_privs", session.forbid_new_privileges),
            ("landlock", lambda: _confine(plan, _devices(plan))),
            ("dumpable", session.forbid_dumping),
            ("seccomp", lambda: seccomp.install(plan.network, ipc=plan.ipc)),
        ],
    )


def prepare(plan: Plan) -> None:
    """Do once, in the process that will fork payloads, what `payload` would repeat in each; nothing goes up.

    Saves each payload about a millisecond. Raises WallError where this machine cannot have the wall.
    """
    load(plan)
    _put_up(plan, [("landlock", lambda: _prepare_rules(plan))])


def load(plan: Plan) -> None:
    """The part of `prepare` that is the same in every box: a zygote does it for all of them. As `prepare`."""
    _put_up(
        plan,
        [
            ("no_new_privs", libc),
            ("rlimits", rlimits.prepare),
            ("landlock", landlock.abi),
            ("seccomp", lambda: seccomp.filter_for(plan.network, plan.ipc, machine())),
        ],
    )


def prepare_late(plan: Plan) -> None:
    """As `prepare`, for an agent that puts up landlock when payloads of its own wait behind theirs.

    They are no part of its domain, so it must be able to signal what is outside. Raises WallError.
    """
    _put_up(plan, [("landlock", lambda: _prepare_rules(plan, scoped=False))])


def widen_late(plan: Plan) -> None:
    """Let such an agent and its payloads reach other trees that stand at the writable paths now.

    Before `settle_late`. Raises WallError.
    """
    for scoped in (True, False):
        made = _rulesets.get(_key(plan, _devices(plan), scoped=scoped))
        if made is not None:
            _build("landlock", _widening(made, plan))


def _widening(made: int, plan: Plan) -> Callable[[], object]:
    return lambda: landlock.widen(made, plan.writable)


def settle_late(plan: Plan) -> None:
    """Put up landlock on such an agent. Raises WallError."""
    _put_up(plan, [("landlock", lambda: _confine(plan, _devices(plan), scoped=False))])


def confine(plan: Plan) -> None:
    """Put up landlock alone, on a payload that had to wait with it. Raises WallError."""
    _put_up(plan, [("landlock", lambda: _confine(plan, _devices(plan)))])


def held() -> Tuple[int, ...]:
    """Descriptors that a payload must keep until its walls are up; close-on-exec."""
    return tuple(_rulesets.values())


def release() -> None:
    """Close them, in a payload whose walls are up."""
    while _rulesets:
        os.close(_rulesets.popitem()[1])


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


def _confine(plan: Plan, devices: Tuple[str, ...], *, scoped: bool = True) -> None:
    made = _rulesets.get(_key(plan, devices, scoped=scoped))
    if made is not None:
        landlock.enter(made)
        return
    made = _ruleset(plan, devices, scoped=scoped)
    try:
        landlock.enter(made)
    finally:
        os.close(made)


def _prepare_rules(plan: Plan, *, scoped: bool = True) -> None:
    devices = _devices(plan)
    made = _ruleset(plan, devices, scoped=scoped)
    _rulesets[_key(plan, devices, scoped=scoped)] = syscalls.moved(made, _HIGH + len(_rulesets))


def _key(plan: Plan, devices: Tuple[str, ...], *, scoped: bool) -> Key:
    return plan.readable, plan.writable, devices, plan.network != "none", scoped


def _devices(plan: Plan) -> Tuple[str, ...]:
    return landlock.ALL_DEVICES if plan.ipc else landlock.DEVICES


def _ruleset(plan: Plan, devices: Tuple[str, ...], *, scoped: bool) -> int:
    shared_memory = ("/dev/shm",) if plan.ipc and os.path.isdir("/dev/shm") else ()
    return landlock.ruleset(
        plan.readable,
        plan.writable + shared_memory,
        devices=devices,
        tcp=plan.network != "none",
        scoped=scoped,
    )
