"""A parked box: from the first instruction after its birth to the greeting, nothing of a user in it.

It is the first process of its pid namespace and has every capability over its own namespaces and none over
anything else. It furnishes the box, gives up all power, puts a spare behind the walls, says that it is ready,
and waits for a host to greet it.
"""

from __future__ import annotations

import os
import struct

from ..walls import capabilities, lockdown, mounts, namespaces, session, syscalls, tape
from ..walls.lockdown import WallError
from ..walls.plan import PlanError
from ..wire.frames import FrameError
from . import agent, clones, descriptors, greeting, runner, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Tuple

    from .nest import Nest

_COMPLAINTS, _REPORT = 2, 3
_AF_INET, _SOCK_DGRAM = 2, 2
_SET_FLAGS = 0x8914  # SIOCSIFFLAGS, netdevice(7)
_UP = 1
_EMPTY = "/run/empty"
_SCRATCH_INODES = 65536


class ParkedBox(greeting.Box):
    """A Box whose payloads are clones that have the environment's packages loaded."""

    # A host may mount another workspace, and what is mounted over a tree is not reached by rules for that.
    late: Tuple[str, ...] = ("rlimits", "landlock")
    is_claimed = False

    def __init__(self, nest: Nest, archive: str, cloner: clones.Cloner) -> None:
        """*archive* is where the agent was imported from."""
        super().__init__(nest.WORKSPACE, nest.ROOTS, nest.plan)
        self._archive, self._cloner = archive, cloner
        with tape.Tape(free=_REPORT + 1) as self.enclosing:
            self.enclosed = lockdown.enclose(self.early)

    def open(self) -> None:
        self.null = syscalls.opened(os.devnull, os.O_RDWR)
        lockdown.prepare_late(self.plan)

    def moved(self) -> None:
        if self.is_claimed:
            raise FrameError("a workspace is mounted before CLAIM, not after it")
        try:
            lockdown.widen_late(self.plan)
        except WallError as error:
            raise greeting.Unfit(f"the box is refused: {error}") from None

    def claim(self, limits: Dict[str, int]) -> None:
        if self.is_claimed:
            raise FrameError("a second CLAIM")
        try:
            lockdown.settle_late(self.plan)
        except WallError as error:
            raise greeting.Unfit(f"the box is refused: {error}") from None
        self.claimed(limits)

    def claimed(self, limits: Dict[str, int]) -> None:
        """Note the *limits* with which somebody has it; its walls are up. Raises greeting.Unfit."""
        try:
            self.plan = self.plan.limited(limits)
        except PlanError as error:
            raise greeting.Unfit(f"the box is refused: {error}") from None
        self.late = greeting.Box.late
        self.is_claimed = True

    def fork(self) -> int:
        return self._cloner.clone()

    def fork_again(self) -> int:
        return self._cloner.clone()

    def enclose(self) -> List[str]:
        try:
            self.enclosing.play()
        except OSError as error:
            raise WallError(" or ".join(self.enclosed), error) from error
        return list(self.enclosed)

    def warm(self) -> None:
        runner.warm(self._archive)


class Mould:
    """What the zygote works out once for all of its boxes: each begins with a copy of it.

    nest: their shape; box: what their agents know of them; own: names of the walls of an agent; making: the
    system calls that make a box out of a new process which has descriptors 0 to 3 and no other. Those that an
    agent makes later: settling, when its box is claimed; widening, before that where a workspace was mounted;
    confining, in a payload, the walls that waited for its order.
    """

    def __init__(self, nest: Nest, archive: str, cloner: clones.Cloner) -> None:
        """Work it out, with nothing done yet. Raises WallError, OSError."""
        self.nest = nest
        self.box = ParkedBox(nest, archive, cloner)
        with tape.Tape(free=_REPORT + 1) as self.making:
            self.own = _make(nest, self.box)
        with tape.Tape(free=_REPORT) as self.confining:
            lockdown.confine(self.box.plan)
        with tape.Tape(free=_REPORT) as self.settling:
            lockdown.settle_late(self.box.plan)
        with tape.Tape(free=_REPORT) as self.widening:
            lockdown.widen_late(self.box.plan)

    @property
    def enclosed(self) -> List[str]:
        """Names of the early walls of a spare, in order."""
        return [*lockdown.STANDING_ALONE.intersection(self.box.early.walls), *self.box.enclosed]


class Newborn:
    """The first process of a box that is still to be made, by an interpreter."""

    def __init__(self, mould: Mould, given: List[int]) -> None:
        """*given*: the channel's ends, where the agent complains, where to say that it is ready, groups."""
        self._mould, self._given = mould, given

    def serve(self) -> int:
        """Become the box, and serve its host; the exit status. In a payload leaves by payload.Handover."""
        return _serve(self._mould, self._given)


def _serve(mould: Mould, given: List[int]) -> int:
    os.dup2(given[_COMPLAINTS], _COMPLAINTS)  # what goes wrong from here on is told there
    _enter_groups(given[4:])
    descriptors.place(given[:4])
    os.chdir("/")
    session.lead()
    mould.making.play()
    if "namespaces.pid" in mould.nest.walls:
        signals.shield()
    else:
        signals.ignore_all()
    return agent.serve_parked(mould.box, mould.own, mould.nest.hello, _report)


def _make(nest: Nest, box: ParkedBox) -> List[str]:
    """All between birth and the first fork that is the same in every box; names of the agent's walls."""
    syscalls.syscall("setresgid", nest.group, nest.group, nest.group)
    syscalls.syscall("setresuid", nest.user, nest.user, nest.user)
    # Taken by the change of user: /proc/self must be ours until the walls are up.
    syscalls.prctl(session.PR_SET_DUMPABLE, 1)
    if "namespaces.cgroup" in nest.walls:
        namespaces.leave(["cgroup"])
    if "namespaces.uts" in nest.walls:
        namespaces.set_hostname(nest.hostname)
    if "namespaces.net" in nest.walls:
        _raise_loopback()
    _furnish(nest)
    if "capabilities" in nest.walls:
        capabilities.drop_known()
    box.open()
    return greeting.put_up_own(box)


def _report() -> None:
    os.write(_REPORT, b"+")
    os.close(_REPORT)


def _enter_groups(groups: List[int]) -> None:
    # The keeper opened them, so the kernel lets us in by its right (cgroups(7), delegation).
    for group in groups:
        os.write(group, b"0")
        os.close(group)


def _raise_loopback() -> None:
    link = syscalls.syscall("socket", _AF_INET, _SOCK_DGRAM, 0)
    syscalls.syscall("ioctl", link, _SET_FLAGS, struct.pack("=16sH22x", b"lo", _UP))
    syscalls.close(link)


def _furnish(nest: Nest) -> None:
    """The mounts that are a box's own, over those it shares with its zygote, which are read-only."""
    scratch = mounts.tmpfs_options(nest.scratch, _SCRATCH_INODES, 0o1777, nest.user, nest.group)
    mounts.tmpfs("/tmp", scratch)
    mounts.tmpfs("/dev/shm", scratch)
    mounts.terminals("/dev/pts")
    mounts.tmpfs(nest.WORKSPACE, mounts.tmpfs_options(nest.disk, nest.inodes, 0o700, nest.user, nest.group))
    if "namespaces.pid" in nest.walls:
        mounts.proc("/proc")
    if "mounts" not in nest.walls:
        return
    mounts.bind("/proc/sys", "/proc/sys", recursive=False)
    mounts.restrict("/proc/sys", mounts.MOUNT_ATTR_RDONLY, recursive=False)
    for name, is_tree in nest.masked:
        mounts.bind(_EMPTY if is_tree else "/dev/null", f"/proc/{name}", recursive=False)
