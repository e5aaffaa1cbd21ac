"""One kept workspace while a box has it: found by name, locked, mounted, and let go of again.

The lock is a flock(2) on the open file description that the loop device gets too. So it is free when the file
system is unmounted everywhere, and not before: two mounts of one image would ruin it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..walls import mounts
from . import attaching, ownership
from .launch import KeptMount, Refusal

SUFFIX = ".img"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_IMAGE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_PATIENCE = 2.0  # seconds; whoever has the image after that is somebody else, and the lock is theirs


@dataclass(slots=True)
class Kept:
    """A locked workspace. `watch`, another open file description of an image, sees when the lock is free.

    `helper` is the process that unmounts it, `unmounted` when nobody had it mounted (monotonic seconds).
    """

    lock: int
    watch: int | None
    helper: int | None = None
    unmounted: float | None = None

    def attach(self, target: str, nodes: str, uid: int, gid: int) -> None:
        """Mount it at *target*, where it belongs to *uid* and *gid*; *nodes* as for `loops`.

        May wait for the disk. OSError.
        """
        self._mount(target, nodes)
        ownership.hand_over(target, uid, gid)

    def taken_off(self, target: str, nodes: str, uid: int, gid: int) -> int:
        """As `attach`, but a descriptor of the mount, which is at *target* only meanwhile. OSError."""
        self._mount(target, nodes)
        return ownership.take_off(target, uid, gid)

    def begun(self) -> None:
        """The box runs. From here on the loop device alone holds the lock of an image.

        Else each child of the keeper would hold it too, until it runs a program of its own.
        """
        if self.watch is not None:
            self._drop_lock()

    def detach(self, target: str, fork: Callable[[Callable[[], None]], int]) -> bool:
        """Unmount it and free its lock; False while that is under way: ask again.

        Unmounting an image writes what the box left in memory, so a process made by *fork* waits for the
        disk, and the keeper does not. OSError.
        """
        if self.watch is not None and self.unmounted is None:
            self.helper = self.helper or fork(lambda: unmount(target))
            return False
        if self.watch is not None:
            return self._is_free(self.watch)
        unmount(target)
        self.close()
        return True

    def helped(self, wait_status: int) -> None:
        """The helper ended; one that failed is followed by another."""
        self.helper = None
        self.unmounted = time.monotonic() if wait_status == 0 else None

    def is_left(self) -> bool:
        """Free its lock, the last mount of it having gone with its box; False while that is under way."""
        if self.watch is None:
            self.close()
            return True
        self.unmounted = self.unmounted or time.monotonic()
        return self._is_free(self.watch)

    def close(self) -> None:
        """Let go of it when it is mounted nowhere."""
        if self.lock >= 0:
            fcntl.flock(self.lock, fcntl.LOCK_UN)  # closing would not do while a child has it too
        self._drop_lock()
        if self.watch is not None:
            os.close(self.watch)
            self.watch = None

    def _mount(self, target: str, nodes: str) -> None:
        if self.watch is None:
            attaching.mount_directory(self.lock, target)
        else:
            attaching.mount_image(self.lock, target, nodes)

    def _drop_lock(self) -> None:
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def _is_free(self, watch: int) -> bool:
        self._drop_lock()
        is_late = self.unmounted is not None and time.monotonic() > self.unmounted + _PATIENCE
        if not is_late and not _has_locked(watch, fcntl.LOCK_SH):
            return False
        fcntl.flock(watch, fcntl.LOCK_UN)
        self.close()
        return True


def open_kept(store: str, wanted: KeptMount) -> Kept:
    """The workspace *wanted* from the directory *store*, locked.

    Refusal: not_found, conflict while another box has it.
    """
    directory = _open_store(store)
    try:
        lock = _opened(directory, wanted)
        watch = None
        try:
            if not _has_locked(lock, fcntl.LOCK_EX):
                raise Refusal("conflict", f"workspace {wanted.name!r} is another box's: end that box first")
            if os.fstat(lock).st_nlink == 0:
                raise _missing(wanted)
            if wanted.kind == "image":
                watch = _opened(directory, wanted)
        except (OSError, Refusal):
            os.close(lock)
            raise
        return Kept(lock, watch)
    finally:
        os.close(directory)


def adopt(image: int) -> Kept:
    """The open file *image*, which has no name yet, locked; that descriptor stays the caller's. Refusal.

    The lock is on an open file description of our own: whoever lends the image must not hold it.
    """
    if not stat.S_ISREG(os.fstat(image).st_mode):
        raise Refusal("start_failed", "what was lent as an image is a file of another kind")
    lock = os.open(f"/proc/self/fd/{image}", os.O_RDWR | os.O_CLOEXEC)
    try:
        if not _has_locked(lock, fcntl.LOCK_EX):
            raise Refusal("conflict", "this image is another box's: make another one")
        return Kept(lock, os.open(f"/proc/self/fd/{image}", os.O_RDWR | os.O_CLOEXEC))
    except (OSError, Refusal):
        os.close(lock)
        raise


def unmount(target: str) -> None:
    """Unmount what is at *target*; where something still uses it, it goes with its last user."""
    try:
        mounts.unmount(target)
    except OSError as error:
        if error.errno == errno.EBUSY:
            mounts.unmount(target, lazy=True)
        elif error.errno != errno.EINVAL:  # EINVAL: no mount any more
            raise


def _open_store(path: str) -> int:
    try:
        directory = os.open(path, _DIRECTORY)
    except OSError as error:
        raise Refusal("not_found", f"there are no kept workspaces in {path}: {error.strerror}") from error
    status = os.fstat(directory)
    if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
        os.close(directory)
        raise Refusal("start_failed", f"{path} belongs to or is writable by others: choose another directory")
    return directory


def _opened(directory: int, wanted: KeptMount) -> int:
    is_image = wanted.kind == "image"
    name, flags = (wanted.name + SUFFIX, _IMAGE) if is_image else (wanted.name, _DIRECTORY)
    try:
        descriptor = os.open(name, flags, dir_fd=directory)
    except FileNotFoundError:
        raise _missing(wanted) from None
    if is_image and not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refusal("start_failed", f"workspace {wanted.name!r} is no image: its file is of another kind")
    return descriptor


def _missing(wanted: KeptMount) -> Refusal:
    return Refusal(
        "not_found", f"there is no workspace {wanted.name!r} of kind {wanted.kind}: create it first"
    )


def _has_locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
