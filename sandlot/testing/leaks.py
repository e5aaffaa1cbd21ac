"""Leak counters: what a box must leave as it found it, read from `/proc` and the control group tree."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

from sandlot.settings import load

from .host_processes import descendants, reap_adopted

_CGROUPS = Path("/sys/fs/cgroup")
_NAMESPACES = ("net", "mnt", "pid", "user", "ipc", "uts", "cgroup")
_SETTLING = 2.0
"""Seconds in which everything of a box must be gone (GOALS.md section 3)."""


@dataclass(frozen=True)
class Counters:
    """Names of what exists now; each set must be back after a box has been closed."""

    processes: frozenset[str]
    namespaces: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    loops: frozenset[str]
    descriptors: frozenset[str]
    temporary: frozenset[str]


def snapshot() -> Counters:
    """The counters of this process and everything beneath it, now."""
    reap_adopted()
    return Counters(
        processes=_processes(),
        namespaces=_namespaces(),
        mounts=_mounts(),
        cgroups=_cgroups(),
        loops=_loops(),
        descriptors=_descriptors(),
        temporary=frozenset(os.listdir(tempfile.gettempdir())) & frozenset(_ours_in(tempfile.gettempdir())),
    )


def difference(before: Counters, after: Counters) -> tuple[str, ...]:
    """What is there now and was not before, as readable lines."""
    lines: list[str] = []
    for counter in fields(Counters):
        added = getattr(after, counter.name) - getattr(before, counter.name)
        lines.extend(f"{counter.name}: {name}" for name in sorted(added))
    return tuple(lines)


async def settled(before: Counters, seconds: float = _SETTLING) -> Counters:
    """The counters once nothing is above *before*, or as they are when *seconds* have passed.

    Asked again and again, because nothing announces that a mount or a control group is gone.
    """
    deadline = time.monotonic() + seconds
    while True:
        now = snapshot()
        if not difference(before, now) or time.monotonic() > deadline:
            return now
        await asyncio.sleep(0.02)


def resident() -> int:
    """Bytes of memory this process holds now."""
    fields_of = Path("/proc/self/statm").read_text().split()
    return int(fields_of[1]) * os.sysconf("SC_PAGESIZE")


def _processes() -> frozenset[str]:
    """By parent and command, counted: the spare of a box is another process after each command."""
    count: Counter[str] = Counter()
    found = set()
    for process in descendants():
        name = f"{' '.join(process.words[:3]) or process.name} of {process.parent}"
        count[name] += 1
        found.add(f"{name}, number {count[name]}")
    return frozenset(found)


def _namespaces() -> frozenset[str]:
    found = set()
    for process in descendants():
        for kind in _NAMESPACES:
            try:
                found.add(os.readlink(f"/proc/{process.pid}/ns/{kind}"))
            except OSError:  # gone meanwhile, or not ours to look at
                continue
    return frozenset(found)


def _mounts() -> frozenset[str]:
    """Mount points, by mount namespace: a keeper's leftovers are in its own."""
    found = set()
    for pid in ("self", *(str(process.pid) for process in descendants())):
        try:
            namespace = os.readlink(f"/proc/{pid}/ns/mnt")
            lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
        except OSError:  # gone meanwhile, or not ours to look at
            continue
        found |= {f"{namespace} {line.split()[4]}" for line in lines}
    return frozenset(found)


_SEEN: set[str] = set()
"""Pids of every process of ours so far: groups are named by their owner, who may be gone by then."""


def _cgroups() -> frozenset[str]:
    """Groups named by a process of ours: other sessions may run on the same machine."""
    _SEEN.update(str(process.pid) for process in descendants())
    _SEEN.add(str(os.getpid()))
    found = set()
    for top, directories, _ in os.walk(_CGROUPS):
        mine = [name for name in directories if name.startswith("sandlot-") and name.split("-")[2] in _SEEN]
        found |= {os.path.join(top, name) for name in mine}
    return frozenset(found)


def _loops() -> frozenset[str]:
    """Images in our data directory that loop devices have: other sessions may run on the same machine."""
    ours = f"{os.path.realpath(load().data_directory)}/"
    found = set()
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            image = path.read_text().strip()
        except OSError:  # freed meanwhile
            continue
        if image.startswith(ours):
            found.add(image)
    return frozenset(found)


def _descriptors() -> frozenset[str]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except OSError:  # the descriptor of the listing itself
            continue
    return frozenset(found)


def _ours_in(directory: str) -> list[str]:
    mine = []
    for entry in os.scandir(directory):
        try:
            if "sandlot" in entry.name and entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                mine.append(entry.name)
        except FileNotFoundError:
            continue
    return mine
