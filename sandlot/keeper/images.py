"""File system images: made once per size with mkfs.ext4, then written again from what that left in the file.

An image has no journal: only its own kernel ever writes it, in one mount at a time, and a keeper's death
unmounts it in order. It is a sparse file, so it takes as much of the host's disk as the workspace holds.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from ..contracts.errors import EngineUnavailable, InvalidSpec, Unsupported
from . import trial
from .uids import KEPT_UID

LEAST_BYTES = 2**20
_BLOCK = 4096
_GROUP = 8 * _BLOCK  # blocks one bitmap block counts
_INODE = 256
_RESERVED = 10  # inodes 1 to 10 are the file system's own, the root directory among them
_FEATURES = (
    "none", "64bit", "dir_index", "dir_nlink", "ext_attr", "extent", "extra_isize", "filetype", "flex_bg",
    "huge_file", "large_file", "metadata_csum", "sparse_super",
)  # fmt: skip
# A sparse file reads as zeros: neither now nor after a mount need the inode tables be written.
_EXTENDED = f"lazy_itable_init=1,nodiscard,root_owner={KEPT_UID}:{KEPT_UID}"
_PROGRAMS = "/usr/sbin:/sbin:/usr/bin:/bin"
_PIECE = 65_536
_MKFS_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Template:
    """An empty file system of so many bytes: what of it is not zero, by offset."""

    size: int
    extents: tuple[tuple[int, bytes], ...]

    def write(self, descriptor: int) -> None:
        """Fill an empty file. OSError when there is no room."""
        os.ftruncate(descriptor, self.size)
        for offset, content in self.extents:
            os.pwrite(descriptor, content, offset)


def unnamed_file(directory: int) -> int:
    """A new file without a name in an open directory, so that a crash leaves none. EngineUnavailable."""
    try:
        return os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=directory)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
            raise
        raise EngineUnavailable(
            "the file system of the workspaces knows no files without a name (O_TMPFILE): "
            "put the data directory on ext4, xfs or btrfs"
        ) from error


def make_template(directory: int, size: int, inodes: int) -> Template:
    """An empty file system of at most *size* bytes and *inodes* files, proven by mounting it.

    Blocks, for about 0.1 s. Raises InvalidSpec, Unsupported for a bound it cannot have, EngineUnavailable
    with the cause where images do not work.
    """
    blocks = size // _BLOCK
    if size < LEAST_BYTES:
        raise InvalidSpec(f"disk of {size} bytes is too small for an image: use {LEAST_BYTES} or more")
    total = inode_count(blocks, inodes)
    descriptor = unnamed_file(directory)
    try:
        os.ftruncate(descriptor, blocks * _BLOCK)
        _format(descriptor, total)
        trial.run("image", directory, descriptor)
        return Template(blocks * _BLOCK, tuple(_extents(descriptor)))
    finally:
        os.close(descriptor)


def inode_count(blocks: int, inodes: int) -> int:
    """How many inodes mkfs is to make, its own included, so that at most *inodes* files fit (pure).

    The count is a multiple of what fills one block in each group, and at most one inode per block is made.
    Raises Unsupported where even the least would be more than was asked.
    """
    step = -(-blocks // _GROUP) * (_BLOCK // _INODE)
    total = (min(inodes, blocks) + _RESERVED) // step * step
    if not total:
        raise Unsupported(
            f"at most {inodes} files cannot be enforced in an image of {blocks * _BLOCK} bytes: "
            f"allow {step - _RESERVED} or more"
        )
    return total


def _format(descriptor: int, inodes: int) -> None:
    program = shutil.which("mkfs.ext4", path=_PROGRAMS)
    if program is None:
        raise EngineUnavailable("the program mkfs.ext4 is not installed: install e2fsprogs")
    options = ["-b", str(_BLOCK), "-I", str(_INODE), "-m", "0", "-N", str(inodes), "-O", ",".join(_FEATURES)]
    quick = ["-q", "-F", "-E", _EXTENDED]
    try:
        made = subprocess.run(
            [program, *options, *quick, f"/proc/self/fd/{descriptor}"],
            env={"PATH": _PROGRAMS, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=(descriptor,),
            timeout=_MKFS_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineUnavailable(
            f"mkfs.ext4 took longer than {_MKFS_TIMEOUT:g} s: look at the disk"
        ) from error
    if made.returncode:
        said = made.stderr.decode("utf-8", "replace").strip()[-500:]
        raise EngineUnavailable(f"mkfs.ext4 ended with {made.returncode}, saying: {said}")


def _extents(descriptor: int) -> Iterator[tuple[int, bytes]]:
    offset, size = 0, os.fstat(descriptor).st_size
    while offset < size:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole is left
                return
            raise
        offset = os.lseek(descriptor, start, os.SEEK_HOLE)
        for place in range(start, offset, _PIECE):
            content = os.pread(descriptor, min(_PIECE, offset - place), place)
            if content.count(0) != len(content):
                yield place, content
