"""Host uids nobody else has: blocks of 131,072 from 1,900,000,000 up, one per keeper, held by flock(2).

Keepers know of each other by the run directory: all of a host that run as root should share it. Where they do
not (systemd gives each service one of its own), the search begins elsewhere for each directory. The lock and
not the file is the claim: a crashed keeper's block is free at once, and whoever takes it makes sure
first that no process is left under its uids.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterator

from . import census
from .launch import Refusal

FIRST_UID = 1_900_000_000
KEPT_UID = FIRST_UID - 1
"""Who owns the files of kept workspaces on the disk, where mounts can show them as a box's."""
BLOCK_SIZE = 1 << 17
BLOCKS = 1024
SHARE = 1 << 13
"""Uids for boxes that come one by one; the rest of a block is lent in ranges of this size."""


class UidBlock:
    """The uids of one keeper; `take` and `give_back` them one at a time."""

    def __init__(self, directory: int, number: int, lock: int) -> None:
        """Own block *number*, whose locked file *lock* lies in *directory* (both descriptors are kept)."""
        self.directory, self._number, self._lock = directory, number, lock
        self._taken: set[int] = set()
        self._turn = 0
        self._used: set[int] = set()
        self._ranges = set(range(1, BLOCK_SIZE // SHARE))

    @property
    def first(self) -> int:
        """The lowest uid of the block."""
        return FIRST_UID + self._number * BLOCK_SIZE

    def take(self, living_uids: Callable[[], set[int]]) -> int:
        """A uid no box has; one used before only when no process of it lives. Refusal when all are taken."""
        for uid in self._in_turn():
            if uid not in self._taken and (uid not in self._used or uid not in living_uids()):
                self._turn = uid - self.first + 1
                self._taken.add(uid)
                self._used.add(uid)
                return uid
        raise Refusal("start_failed", f"all {SHARE} uids of this keeper are in use: end some boxes")

    def give_back(self, uid: int) -> None:
        """The box of *uid* is gone."""
        self._taken.discard(uid)

    def lend(self) -> UidRange:
        """SHARE uids in a row that are nobody's. Refusal when all are lent."""
        if not self._ranges:
            raise Refusal("start_failed", "all ranges of uids are lent: close some environments' zygotes")
        number = min(self._ranges)
        self._ranges.remove(number)
        return UidRange(self.first + number * SHARE, SHARE)

    def take_back(self, lent: UidRange) -> None:
        """No process lives under *lent* any more."""
        self._ranges.add((lent.first - self.first) // SHARE)

    def release(self) -> None:
        """Give the whole block back; nothing of it may live."""
        _unlink(self.directory, self._number)
        os.close(self._lock)

    def _in_turn(self) -> Iterator[int]:
        # Oldest first: what a box left behind under its uid has the longest time to vanish.
        return (self.first + (self._turn + step) % SHARE for step in range(SHARE))


class UidRange:
    """Uids in a row for one user namespace: the first is its maker's, the others are for boxes.

    A box's uid is free once the first process of its pid namespace is dead: nothing in there outlives that.
    """

    def __init__(self, first: int, size: int) -> None:
        """None is taken."""
        self.first, self.size = first, size
        self._next = 1
        self._free: deque[int] = deque()

    def take(self) -> int:
        """A uid as a number within the range, the one longest free. Refusal when all are taken."""
        if self._next < self.size:
            self._next += 1
            return self._next - 1
        if not self._free:
            raise Refusal("start_failed", f"all {self.size} uids of this zygote are in use: end some boxes")
        return self._free.popleft()

    def give_back(self, number: int) -> None:
        """Its box is gone."""
        self._free.append(number)


def claim(directory: int, host_proc: int) -> UidBlock:
    """The first block that nobody holds and no process lives under; Refusal when there is none."""
    start = os.fstat(directory).st_ino
    for step in range(BLOCKS):
        number = (start + step) % BLOCKS
        lock, is_new = _open(directory, number)
        if _is_locked(directory, number, lock) and (is_new or not _is_inhabited(number, host_proc)):
            return UidBlock(directory, number, lock)
        os.close(lock)
    raise Refusal("start_failed", f"all {BLOCKS} blocks of uids are in use: end some keepers")


def sweep(directory: int, host_proc: int) -> int:
    """Remove the lock files of keepers that are gone; the number removed."""
    return sum(
        _sweep_one(directory, int(name), host_proc) for name in os.listdir(directory) if name.isdigit()
    )


def _sweep_one(directory: int, number: int, host_proc: int) -> bool:
    lock, _ = _open(directory, number)
    try:
        is_stale = _is_locked(directory, number, lock) and not _is_inhabited(number, host_proc)
        if is_stale:
            _unlink(directory, number)
        return is_stale
    finally:
        os.close(lock)


def _open(directory: int, number: int) -> tuple[int, bool]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(str(number), flags | os.O_EXCL, 0o600, dir_fd=directory), True
    except FileExistsError:
        return os.open(str(number), flags, 0o600, dir_fd=directory), False


def _is_locked(directory: int, number: int, lock: int) -> bool:
    """Take the lock; False when another has it or the file was removed before we got it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(lock).st_ino == os.stat(str(number), dir_fd=directory, follow_symlinks=False).st_ino
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.ENOENT):
            return False
        raise


def _is_inhabited(number: int, host_proc: int) -> bool:
    first = FIRST_UID + number * BLOCK_SIZE
    return any(first <= uid < first + BLOCK_SIZE for uid in census.living_uids(host_proc))


def _unlink(directory: int, number: int) -> None:
    try:
        os.unlink(str(number), dir_fd=directory)
    except FileNotFoundError:
        return
