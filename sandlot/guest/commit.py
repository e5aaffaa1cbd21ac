"""An archive on its way in: unpacked into a hidden directory first, then moved to where it belongs (Z01-Z14).

Everything that could make the move fail half way and can be known before is checked before: a file where the
archive has a directory, and the other way round. What is moved is what was unpacked, by the names written
down here; the hidden directory itself is never listed, since the guest can reach it.
"""

from __future__ import annotations

import os
import stat as modes

from ..wire.archive import MemberKind
from .beneath import open_directory
from .files import ensure_directory, write_all
from .refusal import Refusal
from .tasks import TURN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Generator, List, Optional, Set, Tuple

    from ..wire.archive import Member

    Names = Tuple[str, ...]

_BATCH = 64


class Staging:
    """Takes the events of one archive; `commit` moves the result."""

    def __init__(self, directory: int) -> None:
        """Unpack into this open, empty directory, which stays the caller's."""
        self.members = 0
        self.bytes = 0
        self._directory = directory
        self._files: List[Names] = []
        self._directories: Dict[Names, Optional[Member]] = {}
        self._parent: Tuple[Names, int] = ((), os.dup(directory))
        self._current: Optional[Tuple[Member, int]] = None

    def begin(self, member: Member) -> None:
        """Make a directory, or open a file that `write` fills. Raises OSError."""
        names = tuple(member.name.split("/"))
        self.members += 1
        if member.kind == MemberKind.DIRECTORY:
            self._enter(names)
            self._directories[names] = member
            return
        self._enter(names[:-1])
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._current = (member, os.open(names[-1], flags, 0o600, dir_fd=self._parent[1]))
        self._files.append(names)

    def write(self, data: bytes) -> None:
        """Add to the current file."""
        if self._current is not None:
            write_all(self._current[1], data)
            self.bytes += len(data)

    def end(self) -> None:
        """The current member is complete."""
        if self._current is not None:
            (member, descriptor), self._current = self._current, None
            os.fchmod(descriptor, member.mode)
            os.utime(descriptor, (member.mtime, member.mtime))
            os.close(descriptor)

    def close(self) -> None:
        """Give descriptors back; nothing more will be unpacked."""
        if self._current is not None:
            os.close(self._current[1])
            self._current = None
        os.close(self._parent[1])
        self._parent = ((), -1)

    def _enter(self, names: Names) -> None:
        """Make a directory and those above it, and keep it open: members of one directory come in a row."""
        if names == self._parent[0]:
            return
        for depth in range(1, len(names) + 1):
            if names[:depth] not in self._directories:
                self._directories[names[:depth]] = None
                above = open_directory(self._directory, names[: depth - 1])
                try:
                    os.mkdir(names[depth - 1], 0o755, dir_fd=above)
                finally:
                    os.close(above)
        opened = open_directory(self._directory, names)
        os.close(self._parent[1])
        self._parent = (names, opened)

    def commit(self, root: int, names: Names, path: str) -> Generator[Any, Any, None]:
        """Move everything below *names* in *root*. Raises Refusal before anything has moved, or OSError."""
        target = ensure_directory(root, names, path)
        try:
            moved = yield from self._judged(target, path)
            for count, item in enumerate(moved):
                self._move(item, target)
                if count % _BATCH == _BATCH - 1:
                    yield TURN
            self._dress(target)
        finally:
            os.close(target)

    def _judged(self, target: int, path: str) -> Generator[Any, Any, List[Names]]:
        """What is to be moved: new directories whole, and files of directories that are there already."""
        present: Set[Names] = {()}
        moved: List[Names] = []
        for count, names in enumerate([*sorted(self._directories, key=len), *self._files]):
            if names[:-1] in present:
                wants_directory = names in self._directories
                kind = _kind(target, names)
                if wants_directory and kind == modes.S_IFDIR:
                    present.add(names)
                    continue
                if kind is not None and (wants_directory or kind == modes.S_IFDIR):
                    raise _clash(path, names, wants_directory=wants_directory)
                moved.append(names)
            if count % _BATCH == _BATCH - 1:
                yield TURN
        return moved

    def _move(self, names: Names, target: int) -> None:
        source = open_directory(self._directory, names[:-1])
        try:
            destination = open_directory(target, names[:-1])
            try:
                os.rename(names[-1], names[-1], src_dir_fd=source, dst_dir_fd=destination)
            finally:
                os.close(destination)
        finally:
            os.close(source)

    def _dress(self, target: int) -> None:
        """Modes and times of directories, the deepest first: they may take the way to the others away."""
        for names in sorted(self._directories, key=len, reverse=True):
            member = self._directories[names]
            if member is not None:
                descriptor = open_directory(target, names)
                try:
                    os.chmod(f"/proc/self/fd/{descriptor}", member.mode)
                    os.utime(f"/proc/self/fd/{descriptor}", (member.mtime, member.mtime))
                finally:
                    os.close(descriptor)


def _kind(target: int, names: Names) -> Optional[int]:
    above = open_directory(target, names[:-1])
    try:
        return modes.S_IFMT(os.stat(names[-1], dir_fd=above, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return None
    finally:
        os.close(above)


def _clash(path: str, names: Names, *, wants_directory: bool) -> Refusal:
    place = path.rstrip("/") + "/" + "/".join(names)
    if wants_directory:
        return Refusal("not_directory", f"{place} is no directory, and the archive has one of that name")
    return Refusal("is_directory", f"{place} is a directory, and the archive has a file of that name")
