"""The process's own standing: session leader, dies with its parent, no dump, no new privileges (prctl(2))."""

from __future__ import annotations

import errno
import os

from .syscalls import prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

PR_SET_PDEATHSIG = 1
PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
SIGKILL = 9  # importing `signal` costs the agent two milliseconds


def lead() -> None:
    """Become leader of a new session without a terminal; a process that leads one already keeps it."""
    if os.getsid(0) != os.getpid():
        os.setsid()


def die_with_parent(parent: Optional[int] = None) -> None:
    """SIGKILL for this process when the thread that made it ends. Raises OSError(ESRCH) when it has ended.

    parent: the pid the caller must still have as parent, which closes the race between fork and this call.
    Call it after the last change of uid or gid: the kernel clears the setting there (prctl(2)). A hostile
    payload can clear it too, so what must end that is its pid namespace or cgroup.
    """
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    if parent is not None and os.getppid() != parent:
        raise OSError(errno.ESRCH, f"parent {parent} is gone; this process belongs to nobody")


def forbid_new_privileges() -> None:
    """No exec gains a uid, gid, capability or LSM label from now on; inherited, and cannot be undone."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def forbid_dumping() -> None:
    """Close /proc/PID/mem, ptrace and core files to other processes of the same uid.

    Lasts until exec, which makes a readable program dumpable again: the agent stays closed for its
    whole life, a payload run inside a fork of the agent stays closed too (it carries the agent's old
    memory pages), and a payload that execs has no such pages left to hide.
    """
    prctl(PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent dies (PR_SET_CHILD_SUBREAPER)."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
