"""What stands in the way of a copy of this process: what a fork would break in it, or leave out of it.

fork(2) copies the calling thread and no other, and shares what descriptors stand for: of a connection or a
file that is written, each side would read and write parts. Files that are read share their position too;
that is left to the user, as are shared mappings.
"""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Set

_SELF = "/proc/self"
_MOST_NAMED = 5
_THREADS = "running threads ({}), which a copy would lack: join them first"
_CHILDREN = "child processes ({}), which a copy could not wait for: end them first"
_SOCKETS = "open sockets ({}), which a copy would share: close them first"
_FILES = "files open for writing ({}), which a copy would share: close them first"


def found(own: Set[int]) -> List[str]:
    """What it has, each with what to do about it; *own* descriptors are no obstacle. Raises OSError."""
    return _told(_THREADS, _threads()) + _told(_CHILDREN, _children()) + _descriptors(own)


def native_threads() -> List[str]:
    """As `found`, of threads that outlive the preparations of a fork: a library's, so they have no names."""
    count = len(os.listdir(f"{_SELF}/task")) - 1
    return [_THREADS.format(f"{count} of a library, such as BLAS or OpenMP")] if count else []


def _told(sentence: str, names: List[str]) -> List[str]:
    if not names:
        return []
    more = len(names) - _MOST_NAMED
    shown = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return [sentence.format(shown)]


def _threads() -> List[str]:
    threading: Any = sys.modules.get("threading")
    count = __import__("_thread")._count()  # noqa: SLF001 - all that Python started, also without `threading`
    if threading is not None:
        here = threading.current_thread()
        names = [each.name for each in threading.enumerate() if each is not here]
        if names:
            return names
    return [f"{count} without names"] if count else []


def _children() -> List[str]:
    """Those that live: one that is dead and was not waited for is nothing to share."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return []
    pids: List[str] = []
    for thread in os.listdir(f"{_SELF}/task"):
        with open(f"{_SELF}/task/{thread}/children", "rb") as listing:
            pids += [pid.decode() for pid in listing.read().split()]
    return [pid for pid in pids if _is_alive(pid)]


def _is_alive(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as line:
            return line.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def _descriptors(own: Set[int]) -> List[str]:
    sockets: List[str] = []
    files: List[str] = []
    for each in sorted(set(map(int, os.listdir(f"{_SELF}/fd"))) - own):
        try:
            mode = os.fstat(each).st_mode
            if stat.S_ISSOCK(mode):
                sockets.append(f"descriptor {each}")
            elif stat.S_ISREG(mode) and _is_written(each):
                files.append(os.readlink(f"{_SELF}/fd/{each}"))
        except OSError:  # the one by which the list was read
            continue
    return _told(_SOCKETS, sockets) + _told(_FILES, files)


def _is_written(descriptor: int) -> bool:
    import fcntl

    flags: int = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    return flags & os.O_ACCMODE != os.O_RDONLY
