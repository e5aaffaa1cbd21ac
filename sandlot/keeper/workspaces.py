"""The boxes' workspaces: one bounded tmpfs each, below a tmpfs that covers the run directory.

All of it is mounted in the keeper's own mount namespace: the host's mount table never changes, and
no process of the host can walk into a tree a guest writes.
"""

from __future__ import annotations

import errno
import os

from ..walls import mounts
from .launch import WorkspaceMount

_INDEX_BYTES = 1 << 20
_INDEX_INODES = 16_384
_WALK_ONLY = 0o711  # a box's launcher walks through to its own workspace, and cannot list the others


class Workspaces:
    """Makes and removes workspaces below *place*; needs a mount namespace of the caller's own."""

    def __init__(self, place: str) -> None:
        """Cover *place*. OSError when this process may not mount."""
        self._place = place
        options = mounts.tmpfs_options(_INDEX_BYTES, _INDEX_INODES, _WALK_ONLY, os.geteuid(), os.getegid())
        mounts.tmpfs(place, options, executable=False)

    def make(self, number: int, wanted: WorkspaceMount, uid: int, gid: int) -> str:
        """The path of a new, empty workspace that only *uid* can enter. OSError when it cannot be made."""
        path = f"{self._place}/{number}"
        os.mkdir(path, 0o700)
        try:
            mounts.tmpfs(path, mounts.tmpfs_options(wanted.bytes, wanted.inodes, 0o700, uid, gid))
        except OSError:
            os.rmdir(path)
            raise
        return path


def remove(path: str) -> None:
    """Unmount a workspace and free its memory; doing it again is no error."""
    try:
        mounts.unmount(path)
    except OSError as error:
        if error.errno == errno.EBUSY:
            mounts.unmount(path, lazy=True)  # its memory goes with the last user (umount2(2), MNT_DETACH)
        elif error.errno != errno.EINVAL:  # EINVAL: no mount any more
            raise
    os.rmdir(path)


def refused_because(place: str) -> str | None:
    """Why boxes of other uids could not reach workspaces below *place*; None when they can."""
    parent = os.path.dirname(os.path.realpath(place))
    while True:
        if not os.stat(parent).st_mode & 0o001:
            return f"{parent} is closed to other users; set the run directory to one below /run"
        if parent == "/":
            return None
        parent = os.path.dirname(parent)
