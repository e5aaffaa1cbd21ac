"""Paths of requests, resolved so that no link in a tree the guest writes can lead out of it (F03, F04, F05).

A path is split as text, then its directory is opened with openat2(2): beneath one of the roots, following no
link of any kind, in one step of the kernel. All work is done relative to that descriptor, with O_NOFOLLOW.
"""

from __future__ import annotations

import errno
import os
import stat as modes
import struct

from ..walls import syscalls
from .refusal import Refusal, from_os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Sequence, Tuple

_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_RESOLVE = _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS
DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST = 3800
"""Characters of a path: with a name behind it, it must fit what the kernel and the host take."""


class Place:
    """A name in a directory that is open; the descriptor is closed at the end of the `with` block.

    `path` is what the request called it; `name` is `.` for a root itself.
    """

    def __init__(self, directory: int, name: str, path: str) -> None:
        """Own the descriptor from now on."""
        self.directory = directory
        self.name = name
        self.path = path

    def __enter__(self) -> Place:  # noqa: PYI034 - `Self` needs Python 3.11
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self.directory)

    @property
    def is_root(self) -> bool:
        """It is a root, which may be filled and read, but neither moved nor removed."""
        return self.name == "."

    def open(self, flags: int, mode: int = 0) -> int:
        """Open the named thing itself: no link is followed, and nothing (no FIFO) is waited for."""
        safe = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            return os.open(self.name, flags | safe, mode, dir_fd=self.directory)
        except NotADirectoryError as error:
            raise _plainer(error, self.name, self.directory) from None

    def stat(self) -> os.stat_result:
        """Of the named thing itself."""
        return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)


class Roots:
    """The directories that file verbs may work in."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Open them; raises Refusal when one is missing."""
        self._roots: List[Tuple[Tuple[str, ...], int]] = []
        for path in paths:
            try:
                self._roots.append(
                    (components(path), os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
                )
            except OSError as error:
                raise from_os(error, path) from None
        self._roots.sort(key=lambda root: -len(root[0]))  # the innermost root is tried first

    def locate(self, path: str) -> Tuple[int, Tuple[str, ...]]:
        """The root a path is in, and the names below it. Raises Refusal (path_escape, invalid)."""
        names = components(path)
        for root, descriptor in self._roots:
            if names[: len(root)] == root:
                return descriptor, names[len(root) :]
        raise Refusal("path_escape", f"{path!r} is not beneath {self._shown()}")

    def place(self, path: str) -> Place:
        """The directory of a path, open, and the last name. Raises Refusal."""
        root, names = self.locate(path)
        if not names:
            return Place(os.dup(root), ".", path)
        try:
            return Place(open_directory(root, names[:-1]), names[-1], path)
        except OSError as error:
            raise from_os(error, path) from None

    def _shown(self) -> str:
        return " or ".join("/" + "/".join(root) for root, _ in self._roots)


def components(path: str) -> Tuple[str, ...]:
    """The names of an absolute path. Raises Refusal: a path is refused, never repaired."""
    if not path.startswith("/") or "\0" in path or len(path) > _LONGEST:
        raise Refusal("invalid", f"{path[:80]!r} is no absolute path of at most {_LONGEST} characters")
    names = tuple(name for name in path.split("/") if name not in ("", "."))
    if ".." in names:
        raise Refusal("path_escape", f"{path!r} climbs with '..'; name the place directly")
    return names


def open_directory(root: int, names: Sequence[str]) -> int:
    """An O_PATH descriptor of a directory below another. Raises OSError, which is ELOOP at a link."""
    if not names:
        return os.dup(root)
    # Without O_NOFOLLOW, for which a link would be no directory rather than an escape.
    how = struct.pack("=QQQ", DIRECTORY & ~os.O_NOFOLLOW, 0, _RESOLVE)
    try:
        return syscalls.syscall("openat2", root, os.fsencode("/".join(names)), how, len(how))
    except OSError as error:
        # Before Linux 5.6, and where a filter of the host knows no openat2: name by name, which follows no
        # link either and cannot climb, since no name is `..`.
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise
    return _open_by_steps(root, names)


def _open_by_steps(root: int, names: Sequence[str]) -> int:
    current = os.dup(root)
    for name in names:
        try:
            below = os.open(name, DIRECTORY, dir_fd=current)
        except NotADirectoryError as error:
            raise _plainer(error, name, current) from None
        finally:
            os.close(current)
        current = below
    return current


def _plainer(error: OSError, name: str, directory: int) -> OSError:
    """ELOOP, as openat2 has it, for a link that O_DIRECTORY calls no directory; else the error itself."""
    if modes.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        return OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    return error
