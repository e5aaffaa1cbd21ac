"""Giving a kept workspace to the uid of its next box, before any process of that box exists.

Where the kernel can, nothing of it changes: on the disk all belongs to KEPT_UID, and the mount shows that as
the box's uid (an idmapped mount). Elsewhere every file is given over. That tree is hostile but still, for
nobody has it meanwhile: directories are walked by descriptor, one open at a time, so no depth is too deep,
and links are given over, never followed. The top comes last, so that whoever owns it owns all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from ..walls import mounts, namespaces, users
from .uids import KEPT_UID

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o700


@dataclass(frozen=True, slots=True)
class _Level:
    """A directory on the way down: which it is, and those in it that are still to be visited."""

    identity: tuple[int, int]
    names: list[str]


def hand_over(target: str, uid: int, gid: int) -> None:
    """Make all of the mount at *target* belong to *uid* and *gid*, and let only them enter. OSError."""
    taken = take_off(target, uid, gid)
    try:
        mounts.place(taken, target)
    finally:
        os.close(taken)


def take_off(target: str, uid: int, gid: int) -> int:
    """As `hand_over`, but it is mounted nowhere afterwards: a descriptor to be placed is all there is of it.

    OSError, after which it may still be where it was.
    """
    is_own = uid == os.geteuid()
    taken = None if is_own else _shifted(target, uid, gid)
    try:
        if taken is None:
            own(target, uid, gid)
            taken = mounts.copy(target)
        else:
            own(target, KEPT_UID, KEPT_UID)
        mounts.unmount(target, lazy=True)
    except OSError:
        if taken is not None:
            os.close(taken)
        raise
    return taken


def own(path: str, uid: int, gid: int) -> None:
    """Give the directory *path* and all beneath it to *uid* and *gid*; one that is theirs is not walked."""
    top = os.open(path, _DIRECTORY)
    try:
        status = os.fstat(top)
        if (status.st_uid, status.st_gid) != (uid, gid):
            _own_beneath(top, uid, gid)
            os.fchown(top, uid, gid)
        os.fchmod(top, _MODE)
    finally:
        os.close(top)


def _shifted(target: str, uid: int, gid: int) -> int | None:
    copy = mounts.copy(target)
    try:
        with _shift(uid, gid) as namespace:
            mounts.shift_owners(copy, namespace)
    except OSError:  # an old kernel, a file system that cannot, or no user namespaces left
        os.close(copy)
        return None
    return copy


@contextlib.contextmanager
def _shift(uid: int, gid: int) -> Iterator[int]:
    """A user namespace in which KEPT_UID is *uid* and *gid*: one can only be had from a process in it."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        _inhabit(tell)
    try:
        os.close(tell)
        if not os.read(told, 1):
            raise OSError(errno.EPERM, "no user namespace could be made")
        kept = users.IdMap(KEPT_UID, uid), users.IdMap(KEPT_UID, gid)
        users.write_maps(str(pid), kept[:1], kept[1:], deny_setgroups=False)
        namespace = namespaces.keep("user", str(pid))
    finally:
        os.close(told)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    try:
        yield namespace
    finally:
        os.close(namespace)


def _inhabit(tell: int) -> None:
    try:
        namespaces.leave(["user"])
        os.write(tell, b".")
        signal.pause()
    finally:
        os._exit(1)


def _own_beneath(top: int, uid: int, gid: int) -> None:
    current = os.dup(top)
    try:
        trail = [_Level(_identity(current), _own_entries(current, uid, gid))]
        while trail:
            if trail[-1].names:
                current = _moved(current, trail[-1].names.pop())
                trail.append(_Level(_identity(current), _own_entries(current, uid, gid)))
                continue
            trail.pop()
            if trail:
                current = _moved(current, "..")
                if _identity(current) != trail[-1].identity:
                    raise OSError(errno.ESTALE, "the workspace changes while it is given over")
    finally:
        os.close(current)


def _own_entries(directory: int, uid: int, gid: int) -> list[str]:
    """Give over what lies in a directory; the names of the directories among it."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            os.chown(entry.name, uid, gid, dir_fd=directory, follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                found.append(entry.name)
    return found


def _moved(current: int, name: str) -> int:
    below = os.open(name, _DIRECTORY, dir_fd=current)
    os.close(current)
    return below


def _identity(directory: int) -> tuple[int, int]:
    status = os.fstat(directory)
    return status.st_dev, status.st_ino
