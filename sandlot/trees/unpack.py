"""Tar streams of a box as host files: staged where nobody else looks, then renamed into place.

The stream is hostile. `wire.archive` decides about names and links as text; here every directory is
opened by descriptor without following links, and links are made last, so nothing is written through one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import AsyncIterable, Iterable, Iterator, List, Optional, Tuple

from sandlot.contracts.errors import Conflict, DiskFull, InvalidSpec
from sandlot.wire.archive import ArchiveError, ArchiveReader, ArchiveRules, Chunk, Member, MemberKind

from .descriptors import finished, require_descriptors

RULES = ArchiveRules(max_members=1_000_000, max_bytes=2**36, max_depth=256, allow_symlinks=True)
"""What may be taken out of a box onto the host."""

_STEP = 524_288  # bytes for one turn of the writing thread; pieces as they come are a hundred times smaller
# Windows lacks three of these flags: `unpack` refuses there.
_FOLLOWED = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = _FOLLOWED | _NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | getattr(os, "O_CLOEXEC", 0)


async def unpack(tar: AsyncIterable[bytes], into: Path, *, shared: bool = False) -> int:
    """Write the tree of *tar* into the existing directory *into*; how many files, directories and links.

    Files of the same name are replaced, directories joined, links of the host never followed. With
    *shared* everything is readable by every user whatever the umask. Raises InvalidSpec for a refused
    archive, Conflict when a file stands where a directory must (nothing is written in both cases),
    DiskFull, Unsupported on Windows.
    """
    unpacking = _Unpacking(into, shared)
    try:
        async for data in tar:
            if unpacking.takes(data):
                await finished(unpacking.write)
        return await finished(unpacking.commit)
    finally:
        await finished(unpacking.close)


def unpack_now(tar: Iterable[bytes], into: Path, *, shared: bool = False) -> int:
    """As `unpack`, in this thread."""
    unpacking = _Unpacking(into, shared)
    try:
        for data in tar:
            if unpacking.takes(data):
                unpacking.write()
        return unpacking.commit()
    finally:
        unpacking.close()


class _Unpacking:
    """One archive on its way into a directory: staged first, moved when all of it has come."""

    def __init__(self, into: Path, shared: bool) -> None:
        require_descriptors()
        self._into = into
        self._waiting = bytearray()
        self._name = f".sandlot-{secrets.token_hex(8)}"
        with _told(into), contextlib.ExitStack() as held:
            self._place = os.open(into, _FOLLOWED)
            held.callback(os.close, self._place)
            os.mkdir(self._name, 0o700, dir_fd=self._place)
            held.callback(_remove, self._name, self._place)
            self._staging = os.open(self._name, _FOLDER, dir_fd=self._place)
            held.callback(os.close, self._staging)
            self._writer = _TreeWriter(self._staging, shared)
            held.callback(self._writer.close)
            self._held = held.pop_all()

    def takes(self, data: bytes) -> bool:
        """Keep *data* for `write`; whether there is enough to call it."""
        self._waiting += data
        return len(self._waiting) >= _STEP

    def write(self) -> None:
        """Write what was taken."""
        data = bytes(self._waiting)
        self._waiting.clear()
        with _told(self._into):
            self._writer.feed(data)

    def commit(self) -> int:
        """Write the rest, check that the archive is whole, and move everything into place."""
        self.write()
        with _told(self._into):
            self._writer.finish()
            self._writer.close()
            _commit(self._staging, self._place, self._into)
        return self._writer.count

    def close(self) -> None:
        """Give everything back that is held; what was not committed is gone."""
        with _told(self._into):
            self._held.close()


@contextlib.contextmanager
def _told(into: Path) -> Iterator[None]:
    """Errors of files and archives as those of sandlot."""
    try:
        yield
    except ArchiveError as cause:
        raise InvalidSpec(f"what the sandbox holds cannot be taken out ({cause.reason}): {cause}") from cause
    except OSError as cause:
        raise DiskFull(f"{into} cannot be written: {cause.strerror}") from cause


class _TreeWriter:
    """Writes the members of one archive below a directory nobody else can enter."""

    def __init__(self, root: int, shared: bool) -> None:
        self.count = 0
        self._root, self._shared = root, shared
        self._reader = ArchiveReader(RULES)
        self._links: List[Member] = []
        self._file: Optional[int] = None
        self._member: Optional[Member] = None
        self._near: Optional[Tuple[List[str], int]] = None

    def feed(self, data: bytes) -> None:
        """Write what *data* completes. Raises ArchiveError, OSError."""
        for event in self._reader.feed(data):
            if isinstance(event, Member):
                self._begin(event)
            elif isinstance(event, Chunk):
                self._write(event.data)
            else:
                self._end()

    def finish(self) -> None:
        """Check that the archive is whole, then make its links."""
        self._reader.finish()
        for link in self._links:
            folder, last = self._parent(link.name)
            os.symlink(link.link, last, dir_fd=folder)

    def close(self) -> None:
        """Give every descriptor back; idempotent."""
        self._leave()
        self._end_file()

    def _end_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _begin(self, member: Member) -> None:
        self.count += 1
        self._member = member
        if member.kind == MemberKind.SYMLINK:
            self._links.append(member)
        elif member.kind == MemberKind.DIRECTORY:
            os.close(self._folder(member.name.split("/")))
        else:
            folder, last = self._parent(member.name)
            self._file = os.open(last, _NEW, 0o777 if member.mode & 0o100 else 0o666, dir_fd=folder)

    def _write(self, data: bytes) -> None:
        assert self._file is not None  # noqa: S101 - the reader gives chunks to files only
        while data:
            data = data[os.write(self._file, data) :]

    def _end(self) -> None:
        member = self._member
        if self._file is None or member is None:
            return
        if self._shared:
            os.fchmod(self._file, 0o755 if member.mode & 0o100 else 0o644)
        os.utime(self._file, (member.mtime, member.mtime))
        self._end_file()

    def _parent(self, name: str) -> Tuple[int, str]:
        """The directory of *name*, which stays open until another one is asked for, and its last part."""
        *folders, last = name.split("/")
        if self._near is None or self._near[0] != folders:
            found = self._folder(folders)
            self._leave()
            self._near = folders, found
        return self._near[1], last

    def _leave(self) -> None:
        near, self._near = self._near, None
        if near is not None:
            os.close(near[1])

    def _folder(self, names: List[str]) -> int:
        """The directory *names*, made where missing; the caller closes it."""
        current = os.dup(self._root)
        try:
            for name in names:
                below = self._step(name, current)
                os.close(current)
                current = below
        except BaseException:
            os.close(current)
            raise
        return current

    def _step(self, name: str, parent: int) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            os.mkdir(name, 0o777, dir_fd=parent)
        below = os.open(name, _FOLDER, dir_fd=parent)
        if self._shared:
            os.fchmod(below, 0o755)
        return below


def _commit(staging: int, place: int, into: Path) -> None:
    """Move everything from *staging* to *place*, after looking that all of it fits."""
    _join(staging, place, str(into), moving=False)
    _join(staging, place, str(into), moving=True)


def _join(source: int, target: int, shown: str, *, moving: bool) -> None:
    for name in os.listdir(source):
        below = _opened(name, target) if _is_folder(name, source) else None
        if below is not None:
            inner = os.open(name, _FOLDER, dir_fd=source)
            try:
                _join(inner, below, f"{shown}/{name}", moving=moving)
            finally:
                os.close(inner)
                os.close(below)
        elif moving:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        elif _is_folder(name, source) != _is_folder(name, target, missing=_is_folder(name, source)):
            raise Conflict(f"{shown}/{name} is in the way: one is a directory, the other is not; remove it")


def _is_folder(name: str, parent: int, *, missing: bool = False) -> bool:
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return missing
    return (status.st_mode & 0o170000) == 0o040000


def _opened(name: str, parent: int) -> Optional[int]:
    """The existing directory *name*, itself and not through a link; None when there is none."""
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError:
        return None


def _remove(name: str, parent: int) -> None:
    """Remove the directory *name* and all in it; shutil.rmtree takes a descriptor from Python 3.11 on."""
    folder = os.open(name, _FOLDER, dir_fd=parent)
    try:
        for inner in os.listdir(folder):
            if _is_folder(inner, folder):
                _remove(inner, folder)
            else:
                os.unlink(inner, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=parent)
