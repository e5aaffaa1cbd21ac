"""The control group of each box: the version that limits most here, and names that tell whose a group is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from ..walls import cgroup1, cgroup2
from ..walls.cgroup import UNIFIED
from . import census
from .launch import Consumption

_PREFIX = "sandlot"
_STRIKE = 0.001  # seconds; version 1 alone, which has no kill switch, would not even strike without any
_SWEEP_PATIENCE = 0.1  # seconds; what is still busy then is left to the next sweep


class Limited(Protocol):
    """Bytes, processors, tasks; None is no limit."""

    @property
    def memory(self) -> int | None:
        """Bytes, swap included."""

    @property
    def cpu(self) -> float | None:
        """Processors."""

    @property
    def pids(self) -> int | None:
        """Processes and threads."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A keeper's stub as the host sees it: no two have the same values until the host reboots.

    `pid_namespace` is the inode of the namespace `pid` counts in, `started` clock ticks after boot.
    """

    pid_namespace: int
    pid: int
    started: int

    def name_of(self, box: int) -> str:
        """The name of the group of one of its boxes."""
        return f"{_PREFIX}-{self.pid_namespace}-{self.pid}-{self.started}-{box}"


def this_owner(proc: int) -> Owner:
    """The calling process as an owner."""
    return Owner(
        os.stat("self/ns/pid", dir_fd=proc).st_ino, os.getpid(), census.start_time(proc, os.getpid()) or 0
    )


def owner_in(name: str) -> Owner | None:
    """Whose group *name* is; None when it is none of a keeper's."""
    prefix, *numbers = name.split("-")
    if prefix != _PREFIX or len(numbers) != len(("namespace", "pid", "started", "box")):
        return None
    if not all(number.isascii() and number.isdigit() for number in numbers):
        return None
    return Owner(int(numbers[0]), int(numbers[1]), int(numbers[2]))


class Group:
    """The group of one box, asked without waiting for the kernel longer than a moment.

    `birthplace` is its directory in the version 2 hierarchy, if it has one. A process should be born there
    (CLONE_INTO_CGROUP): moving in later waits for an RCU grace period, 8 to 20 ms on an idle machine.
    """

    def __init__(self, group: cgroup1.Group | cgroup2.Group) -> None:
        """Wrap a group of either version."""
        self._group = group
        directories = {UNIFIED: group.directory} if isinstance(group, cgroup2.Group) else group.directories
        self.birthplace = directories.get(UNIFIED)
        self._others = cgroup1.Group({name: path for name, path in directories.items() if name != UNIFIED})

    def join(self, *, is_born_inside: bool) -> None:
        """Move the calling process in, as far as it was not born there. OSError."""
        if is_born_inside:
            self._others.add_self()
        else:
            self._group.add_self()

    def kill(self) -> None:
        """Strike every member; ask again until `remove` succeeds."""
        with contextlib.suppress(OSError):  # TimeoutError too; `remove` tells whether anything is left
            self._group.kill(0 if self.birthplace else _STRIKE)

    @property
    def directories(self) -> dict[str, str]:
        """Where each controller of version 1 counts; nothing for one of version 2."""
        return dict(self._others.directories)

    def doors(self) -> list[int]:
        """Descriptors to each of which a process writes "0" to enter: by our right, which it need not have.

        Version 1 wants a process with one thread. OSError, and none is left open.
        """
        directories = dict.fromkeys(self._others.directories.values())
        paths = [f"{directory}/tasks" for directory in directories]
        paths += [f"{self.birthplace}/cgroup.procs"] if self.birthplace else []
        opened: list[int] = []
        try:
            for path in paths:
                opened.append(os.open(path, os.O_WRONLY | os.O_CLOEXEC))  # noqa: PERF401 - closed on failure
        except OSError:
            for descriptor in opened:
                os.close(descriptor)
            raise
        return opened

    def limit(self, limits: Limited) -> None:
        """Set the limits that are not None. OSError."""
        self._group.limit(memory=limits.memory, cpu=limits.cpu, pids=limits.pids)

    def consumption(self) -> Consumption:
        """What the members used so far; all None once the group is gone."""
        try:
            usage = self._group.usage()
        except OSError:  # ENOENT, or ENODEV while it is being removed
            return Consumption()
        return Consumption(usage.oom_kills, usage.memory_peak, usage.cpu_seconds, usage.pids)

    def remove(self) -> bool:
        """Delete the group; False while a member is left."""
        try:
            self._group.remove(0)
        except OSError:
            return False
        return True


class Groups:
    """Makes the groups of one owner's boxes and clears away those of dead owners."""

    def __init__(self, owner: Owner) -> None:
        """Choose the version. Call it in the first pid namespace: version 2 may have to move its members."""
        self._owner = owner
        self._version = max((cgroup2, cgroup1), key=lambda version: len(version.available()))
        self.controllers = self._version.available()
        if self.controllers and self._version is cgroup2:
            self.controllers = cgroup2.delegate()

    @cached_property
    def _own(self) -> Mapping[str, str]:
        # Hierarchies do not move, and each workspace that is mounted makes the list of mounts longer.
        found: Mapping[str, str] = self._version.own()
        return found

    def create(self, box: int, limits: Limited, *, is_plain: bool = False) -> Group | None:
        """A group with *limits*; None where there are no groups (and no limits were asked).

        A plain one of version 1 has only what limits and counts: its box dies with its pid namespace. A kill
        would need the freezer besides, a fifth of the work, and the switch of version 2, slow to enter.
        """
        if not self.controllers:
            return None
        name = self._owner.name_of(box)
        if is_plain and self._version is cgroup1:
            made = Group(cgroup1.Group.create("", name, own=self._own, with_switch=False))
        else:
            made = Group(self._version.Group.create("", name, own=self._own))
        try:
            made.limit(limits)
        except OSError:
            made.remove()
            raise
        return made

    def clear_own(self) -> None:
        """Remove what is left of this owner's groups after all its processes died."""
        self._clear(lambda owner: owner == self._owner)

    def clear_dead(self, host_proc: int) -> int:
        """Remove the groups of owners that are gone; the number removed."""
        return self._clear(lambda owner: self._is_dead(owner, host_proc))

    def _is_dead(self, owner: Owner, host_proc: int) -> bool:
        # A pid of another pid namespace says nothing here.
        if owner.pid_namespace != self._owner.pid_namespace:
            return False
        return census.start_time(host_proc, owner.pid) != owner.started

    def _clear(self, is_meant: Callable[[Owner], bool]) -> int:
        if not self.controllers:
            return 0
        found = ((name, owner_in(name)) for name in self._version.names())
        return sum(self._remove(name) for name, owner in found if owner is not None and is_meant(owner))

    def _remove(self, name: str) -> bool:
        group = self._version.Group.existing("", name, own=self._own)
        try:
            group.kill(_SWEEP_PATIENCE)
            group.remove(_SWEEP_PATIENCE)
        except OSError:  # busy, or another sweep was faster
            return False
        return True
