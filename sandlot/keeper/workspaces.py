"""The boxes' workspaces: one bounded tmpfs or kept one each, below a tmpfs that covers the run directory.

All of it is mounted in the keeper's own mount namespace: the host's mount table never changes, and
no process of the host can walk into a tree a guest writes.
"""

from __future__ import annotations

import os

from ..walls import mounts
from . import keeping
from .keeping import Kept
from .launch import KeptMount, WorkspaceMount

_INDEX_BYTES = 1 << 20
_INDEX_INODES = 16_384
INNER = "workspace"
"""Where in a workspace a kept one lies when there are both."""

_NODES = ".nodes"
_NODES_BYTES, _NODES_COUNT = 65_536, 1024
_WALK_ONLY = 0o711  # a box's launcher walks through to its own workspace, and cannot list the others


class Workspaces:
    """Makes and removes workspaces below *place*; needs a mount namespace of the caller's own."""

    def __init__(self, place: str, store: str) -> None:
        """Cover *place*; kept workspaces lie in *store*. OSError when this process may not mount."""
        self._place, self._store = place, store
        options = mounts.tmpfs_options(_INDEX_BYTES, _INDEX_INODES, _WALK_ONLY, os.geteuid(), os.getegid())
        mounts.tmpfs(place, options, executable=False)
        self.nodes = f"{place}/{_NODES}"
        os.mkdir(self.nodes, 0o700)
        if os.geteuid() == 0:  # nobody else could make a device node
            mounts.device_nodes(self.nodes, mounts.tmpfs_options(_NODES_BYTES, _NODES_COUNT, 0o700, 0, 0))

    def make(self, number: int, wanted: WorkspaceMount | None, uid: int, gid: int) -> str:
        """The path of a new, empty workspace that only *uid* can enter. OSError when it cannot be made.

        Nothing is mounted there when None is *wanted*: a kept one will be.
        """
        path = f"{self._place}/{number}"
        os.mkdir(path, 0o700)
        if wanted is None:
            return path
        try:
            mounts.tmpfs(path, mounts.tmpfs_options(wanted.bytes, wanted.inodes, 0o700, uid, gid))
        except OSError:
            os.rmdir(path)
            raise
        return path

    def keep(self, path: str, wanted: KeptMount | int, *, is_inner: bool) -> tuple[Kept, str]:
        """The kept workspace *wanted*, locked, and where to mount it: at *path*, or in there. Refusal.

        A number is the descriptor of an image that has no name yet.
        """
        if is_inner:
            path = f"{path}/{INNER}"
            os.mkdir(path, 0o700)
        kept = keeping.adopt(wanted) if isinstance(wanted, int) else keeping.open_kept(self._store, wanted)
        return kept, path


def remove(path: str) -> None:
    """Unmount a workspace and free its memory; doing it again is no error."""
    keeping.unmount(path)
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
