"""Ending a process with everything it started, as far as that can be seen from outside."""

from __future__ import annotations

import os
import signal
from typing import Dict, NamedTuple, Set

_MOST_ROUNDS = 50  # a fork bomb makes children faster than they are found


class _Kin(NamedTuple):
    parent: int
    session: int


def kill_tree(leader: int) -> None:
    """Kill the session `leader` leads and its descendants; it must not have been waited for yet.

    Everything found is stopped before anything is killed: who is stopped starts no more children, and who is
    not dead yet is still known as a parent. A process that left the session and lost its parent before is
    not found.
    """
    stopped: Set[int] = set()
    for _ in range(_MOST_ROUNDS):
        found = _beneath(leader, _processes()) - stopped
        if not found:
            break
        _signal(found, signal.SIGSTOP)
        stopped |= found
    _signal(stopped | {leader}, signal.SIGKILL)
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _beneath(leader: int, processes: Dict[int, _Kin]) -> Set[int]:
    found = {leader} & set(processes) | {pid for pid, kin in processes.items() if kin.session == leader}
    while True:
        children = {pid for pid, kin in processes.items() if kin.parent in found} - found
        if not children:
            return found
        found |= children


def _processes() -> Dict[int, _Kin]:
    """Every process with parent and session, from proc(5); empty where there is no /proc."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except FileNotFoundError:
        return {}
    found = {}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                # The name, in parentheses, may hold anything; state, parent, group, session follow it.
                fields = file.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[pid] = _Kin(int(fields[1]), int(fields[3]))
    return found


def _signal(pids: Set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):  # gone, or another user's by setuid
            pass
