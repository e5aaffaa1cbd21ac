"""Mounting kept workspaces by their descriptors: what boxes get of an image or a directory of the host."""

from __future__ import annotations

import errno
import os
import struct

from ..walls import mounts
from . import loops

# remount-ro: where the host's disk is full or broken, the image's own writes fail. A box then sees a
# read-only workspace, not one that forgets what it was given. `panic`, which an image may say, it never is.
_OPTIONS = "errors=remount-ro,noinit_itable,discard"
_CHECKERS = ("/usr/sbin/e2fsck", "/sbin/e2fsck")
_STATE = 1024 + 0x3A  # s_state of the superblock: 1 when it was unmounted in order
_CLEAN = 1
_CORRECTED = (0, 1)  # exit codes, e2fsck(8)
_ATTRIBUTES = mounts.MOUNT_ATTR_NOSUID | mounts.MOUNT_ATTR_NODEV


def mount_image(image: int, target: str, nodes: str) -> None:
    """Mount the file system in the open file *image*, nosuid and nodev; *nodes* as for `loops`. OSError."""
    _mend(image)
    device = loops.attach(image, nodes)
    try:
        mounts.ext4(f"/proc/self/fd/{device}", target, _OPTIONS)
    finally:
        os.close(device)


def mount_directory(directory: int, target: str) -> None:
    """Show the open *directory* at *target*, nosuid and nodev. OSError."""
    mounts.bind(f"/proc/self/fd/{directory}", target, recursive=False)
    try:
        mounts.restrict(target, _ATTRIBUTES, recursive=False)
    except OSError:
        mounts.unmount(target, lazy=True)
        raise


def _mend(image: int) -> None:
    """Repair an image that was mounted when its host crashed: without a journal nothing else does."""
    if struct.unpack("<H", os.pread(image, 2, _STATE)) == (_CLEAN,):
        return
    checker = next(filter(os.path.exists, _CHECKERS), None)
    if checker is None:
        raise OSError(errno.EUCLEAN, "the image was not unmounted in order: install e2fsprogs to repair it")
    os.set_inheritable(image, True)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    pid = os.posix_spawn(checker, [checker, "-f", "-y", f"/proc/self/fd/{image}"], environment)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code not in _CORRECTED:
        raise OSError(
            errno.EUCLEAN, f"the image is damaged and e2fsck, ending with {code}, did not repair it"
        )
