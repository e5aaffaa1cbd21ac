"""A root for boxes, built from a list: memory at the top, what boxes share shown read-only beneath it.

Built by a process that has left the host's mount namespace, with the power of its own user namespace alone.
The old root stands apart while it works, out of the way of what is copied from it, and is gone afterwards.
"""

from __future__ import annotations

import os
from typing import Sequence, Tuple

from . import mounts

Entry = Tuple[str, str, str]
"""A kind of KINDS, the absolute path in the new root, and what the kind wants."""

KINDS = ("directory", "link", "file", "show", "device", "proc", "memory")
"""An empty directory (its mode in octal), a symbolic link (its target), a file (its text), a tree or file of
the host shown read-only (its path there), a device node of the host (its path there), the process table (""),
a directory in memory to write to (its size in bytes).
"""

_SHOWN = ("show", "device")
_BASE = "/tmp"
_OLD, _NEW = "/old", "/new"
_SIZE, _INODES = 4 << 20, 4096


def build(entries: Sequence[Entry]) -> None:
    """Make the root and move into it; nothing of the old one can be reached then. OSError, ValueError."""
    # Links of the host lead somewhere only while its root is the root.
    real = [os.path.realpath(content) if kind in _SHOWN else content for kind, _, content in entries]
    mounts.make_private()
    mounts.tmpfs(_BASE, mounts.tmpfs_options(_SIZE, _INODES, 0o755, os.geteuid(), os.getegid()))
    for name in (_OLD, _NEW):
        os.mkdir(_BASE + name)
    mounts.pivot_root_onto(_BASE, _OLD.lstrip("/"))
    mounts.tmpfs(_NEW, mounts.tmpfs_options(_SIZE, _INODES, 0o755, os.geteuid(), os.getegid()))
    for (kind, path, _), content in zip(entries, real):
        try:
            _place(kind, _checked(path), content)
        except OSError as error:
            source = f" from {content}, which must be open to everybody" if kind in _SHOWN else ""
            raise OSError(error.errno, f"{path}{source}: {error.strerror}") from error
    mounts.restrict(_NEW, mounts.MOUNT_ATTR_RDONLY, recursive=False)
    mounts.pivot_root(_NEW)


def _checked(path: str) -> str:
    if not path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"{path!r} is no absolute path without '..'")
    return _NEW + path


def _place(kind: str, target: str, content: str) -> None:
    if kind == "directory":
        os.makedirs(target, exist_ok=True)
        os.chmod(target, int(content, 8))
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if kind == "link":
        os.symlink(content, target)
    elif kind == "file":
        with open(target, "x", encoding="utf-8") as file:
            file.write(content)
    elif kind == "proc":
        os.mkdir(target)
        mounts.proc(target)
    elif kind == "memory":
        os.mkdir(target)
        options = mounts.tmpfs_options(int(content), _INODES, 0o1777, os.geteuid(), os.getegid())
        mounts.tmpfs(target, options)
    elif kind in _SHOWN:
        _show(_OLD + content, target, is_device=kind == "device")
    else:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")


def _show(source: str, target: str, *, is_device: bool) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))
    if is_device:
        mounts.bind(source, target, recursive=False)
    else:
        mounts.bind_read_only(source, target)
