"""What /proc tells about processes: who lives, under which uid, since when, and whose child it is.

Every function takes a descriptor of the /proc to ask: the keeper has its own and keeps one of the host's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

# proc_pid_stat(5), counted from the state, which is field 3 and follows the command name.
_STATE, _PARENT, _FLAGS, _START_TIME = 0, 4 - 3, 9 - 3, 22 - 3
_EXITING = 0x4


def start_time(proc: int, pid: int) -> int | None:
    """When *pid* started, in clock ticks after boot; None when it is gone or a zombie."""
    fields = _stat(proc, pid)
    return int(fields[_START_TIME]) if fields and fields[_STATE] not in (b"Z", b"X") else None


def is_ending(proc: int, pid: int) -> bool:
    """Whether *pid* is gone, a zombie, or on its way there (PF_EXITING of its flags)."""
    fields = _stat(proc, pid)
    return not fields or fields[_STATE] in (b"Z", b"X") or bool(int(fields[_FLAGS]) & _EXITING)


def living_uids(proc: int) -> set[int]:
    """Every real, effective, saved and file system uid some process has."""
    # The owner of /proc/PID will not do: it is root for a process that is not dumpable.
    return {uid for pid in _pids(proc) for uid in _uids(proc, pid)}


def children(proc: int, parent: int) -> list[int]:
    """The children of the single-threaded process *parent*, zombies included."""
    listed = _read(proc, f"{parent}/task/{parent}/children")
    if listed is not None:
        return [int(pid) for pid in listed.split()]
    return [pid for pid in _pids(proc) if (_stat(proc, pid) or [b"", b"0"])[_PARENT] == b"%d" % parent]


def _pids(proc: int) -> Iterator[int]:
    return (int(name) for name in os.listdir(proc) if name.isdigit())


def _uids(proc: int, pid: int) -> list[int]:
    for line in (_read(proc, f"{pid}/status") or b"").splitlines():
        if line.startswith(b"Uid:"):
            return [int(uid) for uid in line.split()[1:]]
    return []


def _stat(proc: int, pid: int) -> list[bytes]:
    # The command name stands in brackets and may hold brackets and blanks: fields start after the last one.
    return (_read(proc, f"{pid}/stat") or b"").rpartition(b")")[2].split()


def _read(proc: int, path: str) -> bytes | None:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        return b"".join(iter(lambda: os.read(opened, 65_536), b""))
    except ProcessLookupError:  # it ended between open and read
        return None
    finally:
        os.close(opened)
