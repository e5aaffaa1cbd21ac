"""What the server and everything beneath it hold now, read from the kernel's own books (proc(5)).

Only descendants of one process are counted: other servers may run on the same machine.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

_CGROUPS = "/sys/fs/cgroup"
_NAMESPACES = ("net", "mnt", "pid", "user", "ipc", "uts", "cgroup")
_AGAIN = 0.1
_STEADY = 5
"""Looks in a row that must show the same number of processes before it counts as settled."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of each there are. `files` are entries below the server's own directory."""

    processes: int
    mounts: int
    cgroups: int
    namespaces: int
    descriptors: int
    files: int

    def above(self, before: Counts) -> dict[str, int]:
        """How many more of each there are than *before*; never less than none."""
        earlier = asdict(before)
        return {name: max(0, count - earlier[name]) for name, count in asdict(self).items()}


def tree(root: int) -> tuple[int, ...]:
    """*root* and every living process beneath it."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (parent := _parent(int(entry))) is not None:
            children.setdefault(parent, []).append(int(entry))
    found, waiting = [root], [root]
    while waiting:
        beneath = children.get(waiting.pop(), [])
        found += beneath
        waiting += beneath
    return tuple(found)


def counted(root: int, place: Path | None) -> Counts:
    """The counts of *root*'s tree, and of the files below *place*."""
    processes = tree(root)
    return Counts(
        processes=len(processes),
        mounts=sum(_mounts(processes).values()),
        cgroups=_cgroups(processes),
        namespaces=len(_namespaces(processes)),
        descriptors=sum(_entries(f"/proc/{each}/fd") for each in processes),
        files=0 if place is None else sum(len(files) + len(folders) for _, folders, files in os.walk(place)),
    )


async def settled(
    root: int, place: Path | None, *, at_most: Counts | None = None, patience: float = 10.0
) -> Counts:
    """The counts once the tree has kept its size for half a second and nothing is above *at_most*.

    Or as they are after *patience* seconds: nothing announces that a process or a control group is gone.
    """
    deadline = time.monotonic() + patience
    steady, last = 0, 0
    while True:
        size = len(tree(root))
        steady = steady + 1 if size == last else 0
        last = size
        if steady >= _STEADY or time.monotonic() > deadline:
            now = counted(root, place)
            if at_most is None or not any(now.above(at_most).values()) or time.monotonic() > deadline:
                return now
        await asyncio.sleep(_AGAIN)


def private(processes: Iterable[int]) -> int | None:
    """Bytes that only these processes hold (Private_* of smaps_rollup); None where that may not be read."""
    total = 0
    for each in processes:
        try:
            text = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii")
        except PermissionError:
            return None
        except OSError:  # gone meanwhile, or a zombie: it holds nothing
            continue
        total += sum(int(kib) * 1024 for kib in re.findall(r"^Private_\w+:\s+(\d+) kB$", text, re.MULTILINE))
    return total


def resident(process: int) -> int:
    """Bytes of memory *process* has; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
            "SC_PAGESIZE"
        )
    except OSError:
        return 0


def available() -> int:
    """Bytes of memory the machine could still give (MemAvailable of proc_meminfo(5))."""
    found = re.search(
        r"^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE
    )
    if found is None:
        raise LookupError("/proc/meminfo tells no MemAvailable")
    return int(found[1]) * 1024


def _parent(process: int) -> int | None:
    """The parent of a process that lives; a zombie only waits for its parent and counts as gone."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, parent = text.rpartition(")")[2].split()[:2]
    return None if state in "ZX" else int(parent)


def _mounts(processes: Iterable[int]) -> dict[str, int]:
    """Mounts by mount namespace: those of a namespace are counted once, however many processes share it."""
    found: dict[str, int] = {}
    for each in processes:
        try:
            namespace = os.readlink(f"/proc/{each}/ns/mnt")
            if namespace not in found:
                found[namespace] = Path(f"/proc/{each}/mountinfo").read_bytes().count(b"\n")
        except OSError:  # gone meanwhile, or not ours to look at
            continue
    return found


def _namespaces(processes: Iterable[int]) -> set[str]:
    """Namespaces that a process is in; one that only a descriptor holds counts as a descriptor."""
    found = set()
    for each in processes:
        for kind in _NAMESPACES:
            try:
                found.add(os.readlink(f"/proc/{each}/ns/{kind}"))
            except OSError:  # gone meanwhile, or not ours to look at
                continue
    return found


def _cgroups(processes: Iterable[int]) -> int:
    """Control groups of ours that are named after one of these processes."""
    pids = {str(each) for each in processes}
    return sum(
        "sandlot" in path and bool(pids & set(re.split(r"[-./]", path.partition("sandlot")[2])))
        for path, _, _ in os.walk(_CGROUPS)
    )


def _entries(path: str) -> int:
    try:
        return len(os.listdir(path))
    except OSError:  # gone meanwhile, or not ours to look at
        return 0
