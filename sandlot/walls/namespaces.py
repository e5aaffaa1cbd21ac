"""Namespaces by name: leave shared ones (unshare(2)), enter kept ones (setns(2)); see namespaces(7).

A process must be single-threaded to make or enter a user or mount namespace, so do it right after fork.
A new pid namespace holds the caller's next child, not the caller.
"""

from __future__ import annotations

import errno
import os

from .syscalls import call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, FrozenSet, Iterable

FLAGS: Dict[str, int] = {
    "mnt": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
"""CLONE_NEW* by the name of the file in /proc/PID/ns."""


def flags_of(names: Iterable[str]) -> int:
    """The bits for clone(2) and unshare(2). Raises KeyError for a name that is not in FLAGS."""
    combined = 0
    for name in names:
        combined |= FLAGS[name]
    return combined


def known() -> FrozenSet[str]:
    """The namespaces this kernel was built with."""
    return frozenset(name for name in FLAGS if os.path.exists(f"/proc/self/ns/{name}"))


def leave(names: Iterable[str]) -> None:
    """unshare(2) with all the named namespaces at once. Raises OSError; the message says what to look at."""
    wanted = sorted(names)
    try:
        call("unshare", flags_of(wanted))
    except OSError as error:
        if error.errno in {errno.EPERM, errno.ENOSPC, errno.EUSERS}:
            hint = "see user.max_user_namespaces and kernel.unprivileged_userns_clone"
            raise OSError(error.errno, f"no new namespaces {wanted}: {error.strerror}; {hint}") from error
        raise


def keep(name: str, process: str = "self") -> int:
    """A descriptor that keeps a namespace of `process` (a pid or "self") alive; the caller closes it."""
    return os.open(f"/proc/{process}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)


def enter(descriptor: int, name: str) -> None:
    """Join a kept namespace; the kernel refuses one that is not of the kind `name`. Raises OSError."""
    call("setns", descriptor, FLAGS[name])


def set_hostname(name: str) -> None:
    """Name the host of the caller's UTS namespace. Raises OSError."""
    encoded = name.encode("utf-8")
    call("sethostname", encoded, len(encoded))
