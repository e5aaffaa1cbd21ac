"""Writing into a directory by descriptors, so that no symbolic link in it is ever followed."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Tuple

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PIECE = 65536


@dataclass(frozen=True)
class Place:
    """A directory held open; names are plain and relative to it. Made by `opened`.

    Every method raises OSError, also where a link or a file stands in for a directory on the way.
    """

    descriptor: int

    def write(
        self, name: str, chunks: Iterable[bytes], *, mode: Optional[int] = None, mtime: Optional[int] = None
    ) -> None:
        """Put a file there, whole or not at all, in place of any file or link of that name.

        Without `mode` a file that is replaced hands on its own, and a new one gets the umask's.
        """
        with self._parent(name) as (parent, last), _temporary(parent) as temporary:
            descriptor = os.open(temporary, _NEW_FILE, 0o666, dir_fd=parent)
            with os.fdopen(descriptor, "wb") as file:
                kept = mode if mode is not None else _mode_of(last, parent)
                if kept is not None:
                    os.fchmod(descriptor, kept)
                file.writelines(chunks)
                file.flush()
                if mtime is not None:
                    os.utime(descriptor, (mtime, mtime))
            os.rename(temporary, last, src_dir_fd=parent, dst_dir_fd=parent)

    def link(self, name: str, target: str) -> None:
        """Put a symbolic link there, in place of any file or link of that name."""
        with self._parent(name) as (parent, last), _temporary(parent) as temporary:
            os.symlink(target, temporary, dir_fd=parent)
            os.rename(temporary, last, src_dir_fd=parent, dst_dir_fd=parent)

    def directory(self, name: str, mode: int) -> None:
        """Make a directory, or give an existing one that mode."""
        with self._parent(f"{name}/.") as (parent, _):
            os.fchmod(parent, mode)

    def read(self, name: str) -> Iterator[bytes]:
        """The contents of a regular file."""
        with self._parent(name) as (parent, last):
            descriptor = os.open(last, _READ_FILE, dir_fd=parent)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(f"{name} is not a regular file")
            yield from iter(lambda: file.read(_PIECE), b"")

    @contextmanager
    def _parent(self, name: str) -> Iterator[Tuple[int, str]]:
        *parents, last = name.split("/")
        held = os.dup(self.descriptor)
        try:
            for parent in parents:
                inner = _inner(held, parent)
                os.close(held)
                held = inner
            yield held, last
        finally:
            os.close(held)


@contextmanager
def opened(directory: Path) -> Iterator[Place]:
    """`directory`, made with its parents where missing."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Place(descriptor)
    finally:
        os.close(descriptor)


def components(name: str) -> List[str]:
    """The parts of a relative name, without empty ones and `.`."""
    return [part for part in name.split("/") if part not in ("", ".")]


def _inner(directory: int, name: str) -> int:
    try:
        os.mkdir(name, dir_fd=directory)
    except FileExistsError:
        pass
    return os.open(name, _DIRECTORY, dir_fd=directory)


@contextmanager
def _temporary(parent: int) -> Iterator[str]:
    """A name beside the final one; nothing is left under it when writing fails."""
    name = f".{secrets.token_hex(8)}.part"
    try:
        yield name
    except BaseException:
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        raise


def _mode_of(name: str, parent: int) -> Optional[int]:
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return stat.S_IMODE(found.st_mode) & 0o777 if stat.S_ISREG(found.st_mode) else None
