"""Control groups version 2: one directory holds a box's limits, members and kill switch (cgroups(7)).

A group with members may not hand controllers to its children, except the root of all. So the caller's own
group is first emptied into a leaf of its own (`delegate`), and boxes become the leaf's siblings.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from dataclasses import dataclass
from typing import Dict, FrozenSet, List, Mapping, Optional

from . import cgroup
from .cgroup import CPU_PERIOD, LIMITED, PATIENCE, POLL, UNIFIED, Usage

LEAF = "sandlot-caller"


def available(root: str = "/") -> FrozenSet[str]:
    """Controllers out of memory, cpu and pids that this process can give to groups it creates."""
    base = _base(root)
    if base is None or not os.access(base, os.W_OK):
        return frozenset()
    usable = set(cgroup.read(base, "cgroup.subtree_control").split())
    if _is_ours(base):
        usable.update(cgroup.read(base, "cgroup.controllers").split())
    return LIMITED & usable


def own(root: str = "/") -> Dict[str, str]:
    """The caller's own group under UNIFIED; nothing without one. `delegate` leaves it where it is."""
    base = _base(root)
    return {} if base is None else {UNIFIED: base}


def delegate(root: str = "/") -> FrozenSet[str]:
    """Make the caller's own group able to hold limited groups; returns the controllers those will have.

    Moves the members of the group into its leaf, so only a group that was handed over is treated so: one
    marked by its manager (Delegate=yes), or the topmost that is visible. Call it where every member can be
    seen, so not from inside a new pid namespace. Raises OSError.
    """
    base = _base(root)
    wanted = available(root)
    missing = wanted - set(cgroup.read(base, "cgroup.subtree_control").split()) if base else None
    if base and missing:
        if not _is_root_of_all(base):
            _empty_into_leaf(base)
        cgroup.write(base, "cgroup.subtree_control", " ".join(f"+{name}" for name in sorted(missing)))
    return wanted


def names(parent: str = "", root: str = "/") -> FrozenSet[str]:
    """Names of the groups below the caller's own, for finding what a dead predecessor left."""
    base = _base(root)
    return cgroup.names_below(base, parent) - {LEAF} if base else frozenset()


@dataclass(frozen=True)
class Group:
    """One group, made by this process or found again by name. `controllers` are those with limits in it."""

    directory: str
    controllers: FrozenSet[str]

    @classmethod
    def create(
        cls, parent: str, name: str, *, root: str = "/", own: Optional[Mapping[str, str]] = None
    ) -> Group:
        """Make a new group below the caller's own; `parent` ("" or a path of existing groups) comes between.

        own: what `own` said, after `delegate`, which is called where nothing is given.
        Raises FileExistsError for a name in use, OSError where groups cannot be made.
        """
        if own is None:
            delegate(root)
        group = cls.existing(parent, name, root=root, own=own)
        os.mkdir(group.directory)
        return cls.existing(parent, name, root=root, own=own)

    @classmethod
    def existing(
        cls, parent: str, name: str, *, root: str = "/", own: Optional[Mapping[str, str]] = None
    ) -> Group:
        """A group made earlier, perhaps by another process; nothing is changed."""
        base = _base(root) if own is None else own.get(UNIFIED)
        if base is None:
            raise OSError(errno.EOPNOTSUPP, "no version 2 control group hierarchy is mounted")
        directory = f"{base}/{cgroup.below(parent, name)}"
        return cls(directory, LIMITED & set(_words(directory, "cgroup.controllers")))

    def limit(
        self, *, memory: Optional[int] = None, cpu: Optional[float] = None, pids: Optional[int] = None
    ) -> None:
        """Set limits: bytes without swap, processors (1.5 is one and a half), processes and threads.

        memory.oom.group stays off: it would kill the agent with the payload, and version 1 has no such thing.
        Raises OSError(EOPNOTSUPP) for one that cannot be enforced, before setting any.
        """
        asked = {"memory": memory, "cpu": cpu, "pids": pids}
        for controller, value in asked.items():
            if value is not None and controller not in self.controllers:
                raise cgroup.unsupported(controller)
        if memory is not None:
            cgroup.write(self.directory, "memory.max", memory)
            if os.path.exists(os.path.join(self.directory, "memory.swap.max")):
                cgroup.write(self.directory, "memory.swap.max", 0)
        if cpu is not None:
            cgroup.write(self.directory, "cpu.max", f"{cgroup.quota(cpu)} {CPU_PERIOD}")
        if pids is not None:
            cgroup.write(self.directory, "pids.max", pids)

    def add_self(self) -> None:
        """Move the calling process in; what it starts from now on belongs to the group. Raises OSError."""
        cgroup.write(self.directory, "cgroup.procs", 0)

    def members(self) -> List[int]:
        """Pids in the group; 0 for one outside the caller's pid namespace."""
        return [int(word) for word in _words(self.directory, "cgroup.procs")]

    def kill(self, patience: float = PATIENCE) -> None:
        """Kill every member at once and wait until none is left.

        Before Linux 5.14 there is no switch for this: members are killed one by one until no new one shows.
        Raises TimeoutError after `patience` seconds.
        """
        deadline = time.monotonic() + patience
        while self._strike():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{self.members()} of {self.directory} outlived SIGKILL by {patience} s")
            self._wait_for_change(left)

    def usage(self) -> Usage:
        """What the group has used; valid until `remove`."""
        microseconds = cgroup.read_field(self.directory, "cpu.stat", "usage_usec")
        return Usage(
            memory_peak=cgroup.read_number(self.directory, "memory.peak"),
            cpu_seconds=None if microseconds is None else microseconds / 1e6,
            oom_kills=cgroup.read_field(self.directory, "memory.events", "oom_kill"),
            pids=cgroup.read_number(self.directory, "pids.current"),
        )

    def remove(self, patience: float = PATIENCE) -> None:
        """Delete the empty group; one gone already is fine. Raises OSError(EBUSY) after `patience`."""
        remove_directory(self.directory, patience)

    def _strike(self) -> bool:
        """Send SIGKILL to all members; False when there were none."""
        if not _words(self.directory, "cgroup.procs"):
            return False
        try:
            cgroup.write(self.directory, "cgroup.kill", 1)
        except FileNotFoundError:
            kill_each(self.members())
        return True

    def _wait_for_change(self, seconds: float) -> None:
        # cgroup.events wakes poll(2) with POLLPRI when the last member goes. A member that was forked
        # while others were killed changes nothing there, hence no wait for longer than 50 ms.
        with open(os.path.join(self.directory, "cgroup.events"), "rb") as events:
            waiter = select.poll()
            waiter.register(events, select.POLLPRI)
            if b"populated 1" in events.read():
                waiter.poll(min(seconds, 0.05) * 1000)


def kill_each(pids: List[int]) -> None:
    """SIGKILL to each pid; those gone are fine, and 0 (not visible from here) is not signalled."""
    for pid in pids:
        if pid > 0:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def remove_directory(directory: str, patience: float) -> None:
    """Remove a group; the kernel may hold it for a moment after its last member is gone from the list.

    No event tells when that ends, so this tries again every POLL seconds for `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while not _is_removed(directory, give_up=time.monotonic() > deadline):
        time.sleep(POLL)


def _is_removed(directory: str, *, give_up: bool) -> bool:
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno != errno.EBUSY or give_up:
            raise
        return False
    return True


def _base(root: str) -> Optional[str]:
    own = cgroup.own_directories(root).get(UNIFIED)
    return os.path.dirname(own) if own and os.path.basename(own) == LEAF else own


def _is_root_of_all(directory: str) -> bool:
    return not os.path.exists(os.path.join(directory, "cgroup.type"))


def _is_ours(base: str) -> bool:
    """True when the whole group was given to us, so that its members may be moved within it."""
    if not os.access(os.path.join(base, "cgroup.subtree_control"), os.W_OK):
        return False
    is_top = not os.path.exists(os.path.join(os.path.dirname(base), "cgroup.procs"))
    return is_top or any(_attribute(base, name) == b"1" for name in ("user.delegate", "trusted.delegate"))


def _attribute(path: str, name: str) -> bytes:
    try:
        return os.getxattr(path, name)
    except OSError:
        return b""


def _empty_into_leaf(base: str) -> None:
    leaf = os.path.join(base, LEAF)
    os.makedirs(leaf, exist_ok=True)
    for pid in _words(base, "cgroup.procs"):
        with contextlib.suppress(ProcessLookupError):
            cgroup.write(leaf, "cgroup.procs", pid)


def _words(directory: str, name: str) -> List[str]:
    try:
        return cgroup.read(directory, name).split()
    except FileNotFoundError:
        return []
