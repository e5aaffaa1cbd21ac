"""Control groups version 1: one directory per controller, each perhaps in another hierarchy (cgroups(7)).

Where a version 2 hierarchy is mounted beside them, the box gets a group there too, for its kill switch.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from dataclasses import dataclass
from typing import Dict, FrozenSet, Iterable, List, Mapping, Optional, Set

from . import cgroup, cgroup2
from .cgroup import CPU_PERIOD, LIMITED, PATIENCE, POLL, UNIFIED, Usage

# cpuacct counts what cpu limits, freezer holds a fork bomb still while it is killed.
USED = ("memory", "cpu", "cpuacct", "pids", "freezer")

_ONLY_TO_KILL = ("freezer", UNIFIED)


def available(root: str = "/") -> FrozenSet[str]:
    """Controllers out of memory, cpu and pids that this process can give to groups it creates."""
    return LIMITED & set(own(root))


def own(root: str = "/") -> Dict[str, str]:
    """The caller's own groups in which it can make others, by controller."""
    found = cgroup.own_directories(root)
    return {
        name: found[name] for name in (*USED, UNIFIED) if name in found and os.access(found[name], os.W_OK)
    }


def names(parent: str = "", root: str = "/") -> FrozenSet[str]:
    """Names of the groups below the caller's own in any hierarchy used here."""
    directories = own(root).values()
    return frozenset(name for directory in directories for name in cgroup.names_below(directory, parent))


@dataclass(frozen=True)
class Group:
    """One group in every hierarchy, made by this process or found again by name.

    directories: by controller; those mounted together share one.
    """

    directories: Mapping[str, str]

    @classmethod
    def create(
        cls,
        parent: str,
        name: str,
        *,
        root: str = "/",
        own: Optional[Mapping[str, str]] = None,
        with_switch: bool = True,
    ) -> Group:
        """Make a new group below the caller's own; `parent` ("" or a path of existing groups) comes between.

        own: what `own` said; with_switch: also those that `kill` alone needs, freezer and version 2.
        Raises FileExistsError for a name in use, OSError where groups cannot be made; then nothing is left.
        """
        directories = _places(parent, name, root, own)
        if not with_switch:
            for controller in _ONLY_TO_KILL:
                directories.pop(controller, None)
        if not directories:
            raise OSError(errno.EOPNOTSUPP, "no version 1 control group here can be written; run as root")
        made: List[str] = []
        try:
            for directory in _distinct(directories.values()):
                os.mkdir(directory)
                made.append(directory)
        except OSError:
            for directory in made:
                os.rmdir(directory)
            raise
        return cls(directories)

    @classmethod
    def existing(
        cls, parent: str, name: str, *, root: str = "/", own: Optional[Mapping[str, str]] = None
    ) -> Group:
        """A group made earlier, perhaps by another process, wherever it still is; nothing is changed."""
        places = _places(parent, name, root, own)
        return cls({controller: path for controller, path in places.items() if os.path.isdir(path)})

    def limit(
        self, *, memory: Optional[int] = None, cpu: Optional[float] = None, pids: Optional[int] = None
    ) -> None:
        """Set limits: bytes without swap, processors (1.5 is one and a half), processes and threads.

        Raises OSError(EOPNOTSUPP) for one that cannot be enforced, before setting any.
        """
        asked = {"memory": memory, "cpu": cpu, "pids": pids}
        for controller, value in asked.items():
            if value is not None and controller not in self.directories:
                raise cgroup.unsupported(controller)
        if memory is not None:
            self._limit_memory(memory)
        if cpu is not None:
            cgroup.write(self.directories["cpu"], "cpu.cfs_period_us", CPU_PERIOD)
            cgroup.write(self.directories["cpu"], "cpu.cfs_quota_us", cgroup.quota(cpu))
        if pids is not None:
            cgroup.write(self.directories["pids"], "pids.max", pids)

    def add_self(self) -> None:
        """Move the calling process, which must be single-threaded, into every hierarchy. Raises OSError.

        `tasks` moves one thread and is cheaper than `cgroup.procs`, which takes a lock over all of a process.
        """
        for controller, directory in self.directories.items():
            if controller != UNIFIED:
                cgroup.write(directory, "tasks", 0)
        if UNIFIED in self.directories:
            cgroup.write(self.directories[UNIFIED], "cgroup.procs", 0)

    def members(self) -> List[int]:
        """Pids in the group, of all hierarchies; 0 for one outside the caller's pid namespace."""
        found: Set[int] = set()
        for directory in _distinct(self.directories.values()):
            found.update(int(word) for word in _read_members(directory))
        return sorted(found)

    def kill(self, patience: float = PATIENCE) -> None:
        """Kill every member and wait until none is left; without patience each is still struck once.

        Version 1 tells nobody when a group empties, so this looks again every POLL seconds.
        Raises TimeoutError after `patience` seconds.
        """
        deadline = time.monotonic() + patience
        if UNIFIED in self.directories:
            cgroup2.Group(self.directories[UNIFIED], frozenset()).kill(patience)
        while self.members():
            self._strike()
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes {self.members()} outlived SIGKILL by {patience} s")
            time.sleep(POLL)

    def usage(self) -> Usage:
        """What the group has used; valid until `remove`."""
        nanoseconds = self._number("cpuacct", "cpuacct.usage")
        memory = self.directories.get("memory")
        return Usage(
            memory_peak=self._number("memory", "memory.max_usage_in_bytes"),
            cpu_seconds=None if nanoseconds is None else nanoseconds / 1e9,
            oom_kills=cgroup.read_field(memory, "memory.oom_control", "oom_kill") if memory else None,
            pids=self._number("pids", "pids.current"),
        )

    def remove(self, patience: float = PATIENCE) -> None:
        """Delete the empty group everywhere; parts gone already are fine.

        Raises OSError(EBUSY) after `patience` seconds.
        """
        for directory in _distinct(self.directories.values()):
            cgroup2.remove_directory(directory, patience)

    def _limit_memory(self, size: int) -> None:
        """Memory alone, and memory with swap to the same, which must never be the smaller of the two."""
        directory = self.directories["memory"]
        try:
            cgroup.write(directory, "memory.limit_in_bytes", size)
        except OSError as error:
            if error.errno != errno.EINVAL:  # EINVAL: with swap it has less, so that has to be raised first
                raise
            cgroup.write(directory, "memory.memsw.limit_in_bytes", size)
            cgroup.write(directory, "memory.limit_in_bytes", size)
            return
        with contextlib.suppress(FileNotFoundError):  # a kernel that does not count swap
            cgroup.write(directory, "memory.memsw.limit_in_bytes", size)

    def _strike(self) -> None:
        freezer = self.directories.get("freezer")
        if freezer:
            cgroup.write(freezer, "freezer.state", "FROZEN")
        cgroup2.kill_each(self.members())
        if freezer:
            cgroup.write(freezer, "freezer.state", "THAWED")

    def _number(self, controller: str, name: str) -> Optional[int]:
        directory = self.directories.get(controller)
        return None if directory is None else cgroup.read_number(directory, name)


def _places(parent: str, name: str, root: str, known: Optional[Mapping[str, str]]) -> Dict[str, str]:
    directories = own(root) if known is None else known
    if not set(USED) & set(directories):
        return {}  # a version 2 hierarchy alone is cgroup2's business
    below = cgroup.below(parent, name)
    return {controller: f"{place}/{below}" for controller, place in directories.items()}


def _distinct(directories: Iterable[str]) -> List[str]:
    return list(dict.fromkeys(directories))


def _read_members(directory: str) -> List[str]:
    try:
        return cgroup.read(directory, "cgroup.procs").split()
    except FileNotFoundError:
        return []
