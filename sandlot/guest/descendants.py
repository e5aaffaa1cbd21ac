"""Finding and killing what a process left behind (P04, P08, R01).

A subreaper is the parent of every descendant whose own parent has died. So killing the direct children,
again and again, reaches everything: the children of the killed become direct children. A child's whole
process group is killed at once, which the kernel does under one lock, before any of its members can fork.

A fork bomb whose every process leads a session of its own outruns that: each death makes room for a birth. It
is stopped first and killed afterwards: what is stopped forks no more, but still counts against the limit.
"""

from __future__ import annotations

import os

from .signals import SIGKILL, SIGSTOP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Container, List, Optional, Set

_PROC = "/proc"
_LOOKS = 50


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


def session_of(pid: int) -> Optional[int]:
    """The session of a child, also of one that is dead and was not waited for; None when there is none."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def kill_children(spared: Container[int] = ()) -> bool:
    """SIGKILL every direct child that is not spared, with its group; False when children are unknown."""
    found = children()
    own_group = os.getpgrp()
    for child in found or ():
        if child not in spared:
            _kill(child, own_group)
    return found is not None


def kill_tree(spared: Container[int] = ()) -> None:
    """SIGSTOP all that descends from children not spared, until a look finds nothing new; then SIGKILL it.

    One that loses its parent during the last look may be missed: call it in rounds, as `kill_children`.

    Only for what `kill_children` could not end: a pid further down than a child is not ours to reap, so
    between the look and the signal it might, in theory, have become another process of the same box.
    """
    stopped: Set[int] = set()
    for _ in range(_LOOKS):
        fresh = _below(spared) - stopped
        if not fresh:
            break
        for pid in fresh:
            _send(pid, SIGSTOP)
        stopped |= fresh
    for pid in stopped:
        _send(pid, SIGKILL)


def _below(spared: Container[int]) -> Set[int]:
    """Pids of all descendants but the spared children and what is below those."""
    waiting = [child for child in children() or () if child not in spared]
    found: Set[int] = set()
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(_children_of(pid))
    return found


def _children_of(pid: int) -> List[int]:
    found: List[int] = []
    try:
        for thread in os.listdir(f"{_PROC}/{pid}/task"):
            with open(f"{_PROC}/{pid}/task/{thread}/children", "rb") as listing:
                found.extend(int(word) for word in listing.read().split())
    except OSError:  # it has ended, and its children are ours now
        pass
    return found


def _kill(child: int, own_group: int) -> None:
    try:
        group = os.getpgid(child)
    except ProcessLookupError:
        return
    # A group that is not ours was made by a descendant, and holds nothing but descendants: setpgid(2) does
    # not reach across sessions, and payloads lead their own.
    if group not in (0, own_group):
        _send(-group, SIGKILL)
    else:
        _send(child, SIGKILL)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
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
