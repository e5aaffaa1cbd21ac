"""Mounts of the caller's mount namespace: make private, bind, tmpfs, proc, pivot (mount_namespaces(7))."""

from __future__ import annotations

import os
import struct
from typing import Optional

from .syscalls import call, syscall

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_NOATIME = 0x400
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MNT_DETACH = 0x2
UMOUNT_NOFOLLOW = 0x8

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_IDMAP = 0x100000
OPEN_TREE_CLONE = 0x1
MOVE_MOUNT_F_EMPTY_PATH = 0x4
AT_EMPTY_PATH = 0x1000
AT_FDCWD = -100
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100


def mount(source: str, target: str, kind: Optional[str], flags: int, options: Optional[str] = None) -> None:
    """Make the system call with its arguments as they are (mount(2)). Raises OSError."""
    call("mount", _path(source), _path(target), _text(kind), flags, _text(options))


def make_private() -> None:
    """Cut every mount of this namespace off from others, both ways; do this first in a new one."""
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def make_slave() -> None:
    """Receive later mounts of the parent namespace but send none back."""
    mount("none", "/", None, MS_REC | MS_SLAVE)


def bind(source: str, target: str, *, recursive: bool = True) -> None:
    """Show `source` at `target` as well; the attributes stay those of the source until `restrict`."""
    mount(source, target, None, MS_BIND | (MS_REC if recursive else 0))


def bind_read_only(source: str, target: str) -> None:
    """Show a tree at `target`, it and every mount below it read-only, nosuid and nodev."""
    bind(source, target)
    restrict(target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)


def restrict(target: str, attributes: int, *, recursive: bool = True) -> None:
    """Add MOUNT_ATTR_* to a mount and those below it; flags a namespace may not drop stay (mount_setattr(2)).

    MS_REMOUNT|MS_BIND is not used: it reaches only the topmost mount and needs each locked flag repeated.
    """
    flags = AT_SYMLINK_NOFOLLOW | (AT_RECURSIVE if recursive else 0)
    wanted = struct.pack("=QQQQ", attributes, 0, 0, 0)
    syscall("mount_setattr", AT_FDCWD, _path(target), flags, wanted, len(wanted))


def copy(target: str) -> int:
    """A descriptor of a copy of the mount at `target` that stands nowhere yet (open_tree(2))."""
    return syscall("open_tree", AT_FDCWD, _path(target), OPEN_TREE_CLONE | os.O_CLOEXEC)


def shift_owners(tree: int, user_namespace: int) -> None:
    """Show the files of a `copy` under other owners: `inside` of the namespace's map as `outside`.

    Needs Linux 5.12 and a file system that knows idmapped mounts (mount_setattr(2)); OSError elsewhere.
    """
    wanted = struct.pack("=QQQQ", MOUNT_ATTR_IDMAP, 0, 0, user_namespace)
    syscall("mount_setattr", tree, b"", AT_EMPTY_PATH, wanted, len(wanted))


def place(tree: int, target: str) -> None:
    """Put a `copy` at `target` (move_mount(2))."""
    syscall("move_mount", tree, b"", AT_FDCWD, _path(target), MOVE_MOUNT_F_EMPTY_PATH)


def tmpfs_options(size: int, inodes: int, mode: int, uid: int, gid: int) -> str:
    """Options that bound a tmpfs in bytes and in files and give its root an owner (tmpfs(5))."""
    return f"size={size},nr_inodes={inodes},mode={mode:04o},uid={uid},gid={gid}"


def tmpfs(target: str, options: str, *, executable: bool = True) -> None:
    """An empty memory file system, nosuid and nodev; `options` from `tmpfs_options`."""
    mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV | (0 if executable else MS_NOEXEC), options)


def resize(target: str, size: int, inodes: Optional[int] = None) -> None:
    """Bound a memory file system made by `tmpfs` anew; OSError when more is in it already."""
    bounds = f"size={size}" if inodes is None else f"size={size},nr_inodes={inodes}"
    mount("none", target, None, MS_REMOUNT | MS_NOSUID | MS_NODEV, bounds)


def device_nodes(target: str, options: str) -> None:
    """A memory file system where device nodes work, for nobody but their maker; `options` as for `tmpfs`."""
    mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NOEXEC, options)


def ext4(device: str, target: str, options: str) -> None:
    """Mount the file system of a block device without set-uid, devices or access times (ext4(5))."""
    mount(device, target, "ext4", MS_NOSUID | MS_NODEV | MS_NOATIME, options)


def proc(target: str) -> None:
    """The process table of the caller's pid namespace (which must be a new one, else EPERM)."""
    mount("proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def terminals(target: str) -> None:
    """Pseudo-terminals of the caller's own, with the node /ptmx that makes them (devpts)."""
    mount("devpts", target, "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")


def pivot_root(new_root: str) -> None:
    """Make `new_root` (a mount point) the root and detach the old one; the working directory becomes `/`."""
    os.chdir(new_root)
    # pivot_root(".", ".") stacks the old root on the new, so it needs no directory there (pivot_root(2)).
    syscall("pivot_root", b".", b".")
    call("umount2", b".", MNT_DETACH)
    os.chdir("/")


def pivot_root_onto(new_root: str, old: str) -> None:
    """Make `new_root` the root, with the old one at the directory `old` in it (pivot_root(2))."""
    os.chdir(new_root)
    syscall("pivot_root", b".", _path(old))
    os.chdir("/")


def unmount(target: str, *, lazy: bool = False) -> None:
    """Take a mount away, never through a symbolic link; `lazy` detaches it even while in use."""
    call("umount2", _path(target), UMOUNT_NOFOLLOW | (MNT_DETACH if lazy else 0))


def _path(path: str) -> bytes:
    return os.fsencode(path)


def _text(text: Optional[str]) -> Optional[bytes]:
    return None if text is None else os.fsencode(text)
