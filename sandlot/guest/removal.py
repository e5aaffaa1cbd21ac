"""`remove`: also of trees made to resist: 10,000 deep, without permissions, still growing (F10, F16).

The tree is renamed out of the way, so that it is gone at once, and then taken apart without recursion: every
directory found inside is moved up beside the others, so two descriptors and no long path are ever needed, and
each directory is moved once at most.
"""

from __future__ import annotations

import errno
import os
import stat as modes

from . import refusal
from .beneath import DIRECTORY
from .files import temporary
from .refusal import Refusal, from_os
from .tasks import TURN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Generator, List

    from .beneath import Place, Roots
    from .tasks import Work

_OWNER = 0o700
_BATCH = 256
_READABLE = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(roots: Roots, request: Dict[str, Any]) -> Work:
    """`remove {path, recursive}`: a link is removed, never what it means; a root is refused."""
    path = refusal.field(request, "path", str)
    recursive = refusal.field(request, "recursive", bool, False)
    with _forced_place(roots, path) as place:
        if place.is_root:
            raise Refusal("invalid", f"{path} is a root and stays; remove what is in it")
        try:
            if not modes.S_ISDIR(place.stat().st_mode):
                os.unlink(place.name, dir_fd=place.directory)
            elif not recursive:
                os.rmdir(place.name, dir_fd=place.directory)
            else:
                yield from discard(place.directory, place.name)
        except OSError as error:
            raise from_os(error, path) from None
    return {}


def discard(directory: int, name: str) -> Generator[Any, Any, None]:
    """Remove the tree *name* in an open directory, yielding TURN now and then. Raises OSError.

    Interrupted, it leaves the rest under a hidden name.
    """
    _open_up(directory, name)
    heap = temporary("removed")
    os.rename(name, heap, src_dir_fd=directory, dst_dir_fd=directory)
    top = os.open(heap, _READABLE, dir_fd=directory)
    try:
        while True:
            subtrees = yield from _emptied(top, top)
            if not subtrees:
                break
            for subtree in subtrees:
                _open_up(top, subtree)
                below = os.open(subtree, _READABLE, dir_fd=top)
                try:
                    yield from _emptied(below, top)
                finally:
                    os.close(below)
                _remove_directory(subtree, top)
                yield TURN
    finally:
        os.close(top)
    os.rmdir(heap, dir_fd=directory)


def _emptied(directory: int, top: int) -> Generator[Any, Any, List[str]]:
    """Unlink what is in a directory and move its directories to the top; of the top, return those."""
    found = []
    with os.scandir(directory) as entries:
        for count, entry in enumerate(entries):
            if not entry.is_dir(follow_symlinks=False):
                _unlink(entry.name, directory)
            elif directory == top:
                found.append(entry.name)
            else:
                _open_up(directory, entry.name)
                os.rename(entry.name, temporary("d"), src_dir_fd=directory, dst_dir_fd=top)
            if count % _BATCH == _BATCH - 1:
                yield TURN
    return found


def _unlink(name: str, directory: int) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:  # the guest was quicker
        pass


def _remove_directory(name: str, directory: int) -> None:
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):  # filled again: next round; gone: fine
            raise


def _open_up(directory: int, name: str) -> None:
    """Give the owner all permissions on a directory, by its descriptor: a name could become a link."""
    descriptor = os.open(name, DIRECTORY, dir_fd=directory)
    try:
        mode = modes.S_IMODE(os.fstat(descriptor).st_mode)
        if mode & _OWNER != _OWNER:
            os.chmod(f"/proc/self/fd/{descriptor}", mode | _OWNER)
    finally:
        os.close(descriptor)


def _forced_place(roots: Roots, path: str) -> Place:
    """The place of a path, after opening up the directories on the way where that is what it takes."""
    try:
        return roots.place(path)
    except Refusal as first:
        if first.code != "permission_denied":
            raise
    root, names = roots.locate(path)
    current = os.dup(root)
    try:
        for name in names[:-1]:
            os.chmod(f"/proc/self/fd/{current}", _OWNER)
            below = os.open(name, DIRECTORY, dir_fd=current)
            os.close(current)
            current = below
        os.chmod(f"/proc/self/fd/{current}", _OWNER)
    except OSError as error:
        raise from_os(error, path) from None
    finally:
        os.close(current)
    return roots.place(path)
