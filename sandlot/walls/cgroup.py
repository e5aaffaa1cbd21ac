"""What both versions of control groups share: where the caller's own groups are, how their files are used.

`root` is a prefix for /proc and the mount points, so that a tree of plain files can stand in for the kernel.
A version is one of the modules `cgroup1` and `cgroup2`; both offer `available`, `own`, `names` and a `Group`
with create, existing, limit, add_self, kill, usage and remove. Finding the caller's own groups reads every
mount there is, so who makes many groups asks `own` once and passes it on.
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from typing import Dict, FrozenSet, Optional

UNIFIED = ""
"""The name of the version 2 hierarchy among controllers, as in /proc/self/cgroup."""

LIMITED = frozenset({"memory", "cpu", "pids"})
"""Controllers that enforce a limit a sandbox can ask for."""

CPU_PERIOD = 100_000
"""Microseconds over which a processor quota is counted (the kernel's default)."""

PATIENCE = 2.0
"""Seconds that `kill` and `remove` wait for the kernel to finish."""

POLL = 0.002
"""Seconds between two looks where the kernel offers nothing to wait on."""


_PAGE = 4096
_LONGEST = 65_536


@dataclass(frozen=True)
class Usage:
    """What a group has used so far; None where this kernel or hierarchy does not tell.

    memory_peak is bytes with page cache, oom_kills processes killed for memory, pids those alive.
    """

    memory_peak: Optional[int]
    cpu_seconds: Optional[float]
    oom_kills: Optional[int]
    pids: Optional[int]


def own_directories(root: str = "/") -> Dict[str, str]:
    """Where the caller's own group is in each mounted hierarchy, by controller; empty without any."""
    membership = _read_optional(os.path.join(root, "proc/self/cgroup"))
    mounts = _read_optional(os.path.join(root, "proc/self/mountinfo"))
    return {
        controller: os.path.join(root, directory.lstrip("/"))
        for controller, directory in locate(membership, mounts).items()
    }


def locate(membership: str, mounts: str) -> Dict[str, str]:
    """Combine /proc/self/cgroup (cgroups(7)) and /proc/self/mountinfo (proc(5)), less what no mount shows."""
    groups: Dict[str, str] = {}
    for line in membership.splitlines():
        _, together, path = line.split(":", 2)
        groups.update((controller, path) for controller in together.split(","))
    found: Dict[str, str] = {}
    for line in mounts.splitlines():
        before, after = line.split(" - ", 1)
        _, _, _, top, point = (_unescape(field) for field in before.split(" ")[:5])
        kind, _, options = after.split(" ", 2)
        controllers = {"cgroup": options.split(","), "cgroup2": [UNIFIED]}.get(kind, [])
        for controller in controllers:
            below = _below(groups.get(controller), top)
            if below is not None:
                found.setdefault(controller, os.path.normpath(os.path.join(point, below)))
    return found


def below(parent: str, name: str) -> str:
    """The path of a group from the caller's own on. Raises ValueError unless `name` is one path part."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise ValueError(f"a control group is named by one path part, got {name!r}")
    if parent.startswith("/") or ".." in parent.split("/"):
        raise ValueError(f"the parent is a path below the caller's own group, got {parent!r}")
    return f"{parent}/{name}" if parent else name


def names_below(directory: str, parent: str) -> FrozenSet[str]:
    """Names of the groups directly below; none when the parent is missing."""
    try:
        with os.scandir(os.path.join(directory, parent)) as entries:
            return frozenset(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return frozenset()


def quota(cpu: float) -> int:
    """Microseconds of processor time in each CPU_PERIOD for `cpu` processors; the kernel's least is 1000."""
    return max(1000, round(cpu * CPU_PERIOD))


def unsupported(controller: str) -> OSError:
    """The error of asking for a limit that nothing here can enforce."""
    message = (
        f"no {controller} control group here, so the limit cannot hold; run as root or have one delegated"
    )
    return OSError(errno.EOPNOTSUPP, message)


def read(directory: str, name: str) -> str:
    """The text of a control file without the last line end. Raises OSError."""
    descriptor = _opened(directory, name)
    try:
        return b"".join(iter(lambda: os.read(descriptor, _LONGEST), b"")).decode("ascii").strip()
    finally:
        os.close(descriptor)


def page(directory: str, name: str) -> bytes:
    """The text of a control file of a few lines. Raises OSError.

    A file object would make eight system calls of these three, and a box is counted by four files.
    """
    descriptor = _opened(directory, name)
    try:
        return os.read(descriptor, _PAGE)
    finally:
        os.close(descriptor)


def read_number(directory: str, name: str) -> Optional[int]:
    """The number a control file holds; None when this kernel lacks the file."""
    try:
        return int(page(directory, name))
    except FileNotFoundError:
        return None


def read_field(directory: str, name: str, field: str) -> Optional[int]:
    """One number of a control file of `name value` lines; None when the file or the field is missing."""
    try:
        words = page(directory, name).split()
    except FileNotFoundError:
        return None
    fields = dict(zip(words[::2], words[1::2]))
    value = fields.get(field.encode("ascii"))
    return None if value is None else int(value)


def write(directory: str, name: str, value: object) -> None:
    """Give a control file a value, in one piece as the kernel wants it. Raises OSError."""
    descriptor = os.open(f"{directory}/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, str(value).encode("ascii"))
    finally:
        os.close(descriptor)


def _opened(directory: str, name: str) -> int:
    return os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC)


def _read_optional(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), field)


def _below(group: Optional[str], top: str) -> Optional[str]:
    """The path of `group` in a mount that shows the hierarchy from `top` down; None when it is not in it."""
    if group is None or ".." in group.split("/"):
        return None
    inside = f"{group}/".startswith(top.rstrip("/") + "/")
    return group[len(top) :].strip("/") if inside else None
