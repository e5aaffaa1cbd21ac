"""The processes of this host as `/proc` shows them: a tree, by parent. Linux only.

Nothing is ever signalled here but what descends from this very process, and by pidfd, so that a
recycled number cannot be hit.
"""

from __future__ import annotations

import ctypes
import os
import signal
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Tuple

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


@dataclass(frozen=True)
class HostProcess:
    """One process: numbers as the host sees them, `started` in clock ticks since boot."""

    pid: int
    parent: int
    started: int
    state: str
    name: str
    words: Tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether it still runs: a zombie is dead and only waits for its parent."""
        return self.state not in ("Z", "X")


def adopt_orphans() -> None:
    """Make this process the reaper of its descendants, so that none can leave the tree by a double fork."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def parse_stat(text: str) -> Tuple[int, str, str, int, int]:
    """Pid, name, state, parent and start time of one `/proc/PID/stat` line; the name may hold anything."""
    before, _, after = text.rpartition(")")
    pid, _, name = before.partition(" (")
    fields = after.split()
    return int(pid), name, fields[0], int(fields[1]), int(fields[19])


def read_process(pid: int) -> Optional[HostProcess]:
    """The process numbered *pid*, or None when there is none (any more)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            number, name, state, parent, started = parse_stat(file.read())
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = tuple(part.decode("utf-8", "replace") for part in file.read().split(b"\0") if part)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return HostProcess(number, parent, started, state, name, words)


def all_processes() -> Iterator[HostProcess]:
    """Every process `/proc` shows."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            process = read_process(int(entry))
            if process is not None:
                yield process


def descendants(root: Optional[int] = None) -> List[HostProcess]:
    """The living processes beneath *root* (this process for None), parents before their children."""
    children: Dict[int, List[HostProcess]] = {}
    for process in all_processes():
        children.setdefault(process.parent, []).append(process)
    found: List[HostProcess] = []
    waiting = [os.getpid() if root is None else root]
    while waiting:
        for child in children.get(waiting.pop(), []):
            waiting.append(child.pid)
            if child.alive:
                found.append(child)
    return sorted(found, key=lambda process: process.started)


def is_same(process: HostProcess) -> bool:
    """Whether *process* still lives and its number has not gone to another."""
    now = read_process(process.pid)
    return now is not None and now.started == process.started and now.alive


def kill(process: HostProcess, number: int = signal.SIGKILL) -> None:
    """Signal one descendant of this process.

    Raises ProcessLookupError when it is gone, PermissionError when it does not descend from us.
    """
    handle = os.open(f"/proc/{process.pid}", os.O_RDONLY | os.O_DIRECTORY)
    try:
        # /proc/PID opened as a directory is a pidfd to pidfd_send_signal(2) on every kernel that has
        # the call; signal.pidfd_send_signal itself came with Python 3.9.
        if not is_same(process):
            raise ProcessLookupError(process.pid)
        if process.pid not in {other.pid for other in descendants()}:
            raise PermissionError(f"process {process.pid} is not ours to signal")
        signal.pidfd_send_signal(handle, number)  # type: ignore[attr-defined,unused-ignore]
    finally:
        os.close(handle)


def reap_adopted() -> None:
    """Collect dead children nobody waits for: adopted orphans, which asyncio does not know."""
    for process in all_processes():
        if process.parent == os.getpid() and not process.alive:
            try:
                os.waitpid(process.pid, os.WNOHANG)
            except ChildProcessError:
                continue
