"""Finding and killing what a process left behind (P04, P08, R01).

A subreaper is the parent of every descendant whose own parent has died. So killing the direct children,
again and again, reaches everything: the children of the killed become direct children. A child's whole
process group is killed at once, which the kernel does under one lock, before any of its members can fork.
"""

from __future__ import annotations

import os

from .signals import SIGKILL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Container, List, Optional

_PROC = "/proc"


def children() -> Optional[List[int]]:
    """Pids of this single-threaded process's direct children, dead ones included; None when nothing tells."""
    me = os.getpid()
    try:
        if os.readlink(f"{_PROC}/self") != str(me):
            return None  # the /proc of another pid namespace: its numbers mean other processes
    except OSError:
        return None
    try:
        with open(f"{_PROC}/self/task/{me}/children", "rb") as listing:
            return [int(word) for word in listing.read().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return _scanned(me)


def kill_children(spared: Container[int] = ()) -> bool:
    """SIGKILL every direct child that is not spared, with its group; False when children are unknown."""
    found = children()
    own_group = os.getpgrp()
    for child in found or ():
        if child not in spared:
            _kill(child, own_group)
    return found is not None


def _kill(child: int, own_group: int) -> None:
    try:
        group = os.getpgid(child)
        # A group that is not ours was made by a descendant, and holds nothing but descendants: setpgid(2)
        # does not reach across sessions, and payloads lead their own.
        if group not in (0, own_group):
            os.killpg(group, SIGKILL)
        else:
            os.kill(child, SIGKILL)
    except ProcessLookupError:
        pass


def _scanned(parent: int) -> List[int]:
    return [pid for pid in map(int, filter(str.isdigit, os.listdir(_PROC))) if _parent_of(pid) == parent]


def _parent_of(pid: int) -> int:
    try:
        with open(f"{_PROC}/{pid}/stat", "rb") as line:
            # The name, in parentheses, may hold anything; after the last one come state and parent.
            return int(line.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return -1
