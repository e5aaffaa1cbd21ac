"""Tar streams of a box as host files: staged where nobody else looks, then renamed into place.

The stream is hostile. `wire.archive` decides about names and links as text; here every directory is
opened by descriptor without following links, and links are made last, so nothing is written through one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import secrets
import shutil
from collections.abc import AsyncIterable, Callable
from pathlib import Path

from sandlot.contracts.errors import Conflict, DiskFull, InvalidSpec
from sandlot.wire.archive import ArchiveError, ArchiveReader, ArchiveRules, Chunk, Member, MemberKind

from .pack import require_descriptors

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
    require_descriptors()
    place = os.open(into, _FOLLOWED)
    name = f".sandlot-{secrets.token_hex(8)}"
    try:
        os.mkdir(name, 0o700, dir_fd=place)
        staging = os.open(name, _FOLDER, dir_fd=place)
        try:
            count = await _staged(tar, staging, shared)
            await _finished(_commit, staging, place, into)
        finally:
            os.close(staging)
            await _finished(functools.partial(shutil.rmtree, name, dir_fd=place))
    except OSError as cause:
        raise DiskFull(f"{into} cannot be written: {cause.strerror}") from cause
    finally:
        os.close(place)
    return count


async def _staged(tar: AsyncIterable[bytes], staging: int, shared: bool) -> int:
    writer = _TreeWriter(staging, shared)
    try:
        waiting = bytearray()
        async for data in tar:
            waiting += data
            if len(waiting) >= _STEP:
                await _finished(writer.feed, bytes(waiting))
                waiting.clear()
        await _finished(writer.feed, bytes(waiting))
        await _finished(writer.finish)
    except ArchiveError as cause:
        raise InvalidSpec(f"what the sandbox holds cannot be taken out ({cause.reason}): {cause}") from cause
    finally:
        writer.close()
    return writer.count


async def _finished(work: Callable[..., None], *arguments: object) -> None:
    """Do *work* in a thread; a cancel is told only when it has ended: it uses our descriptors."""
    ending = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        await asyncio.shield(ending)
    finally:
        while not ending.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([ending])


class _TreeWriter:
    """Writes the members of one archive below a directory nobody else can enter."""

    def __init__(self, root: int, shared: bool) -> None:
        self.count = 0
        self._root, self._shared = root, shared
        self._reader = ArchiveReader(RULES)
        self._links: list[Member] = []
        self._file: int | None = None
        self._member: Member | None = None
        self._near: tuple[list[str], int] | None = None

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

    def _parent(self, name: str) -> tuple[int, str]:
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

    def _folder(self, names: list[str]) -> int:
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


def _opened(name: str, parent: int) -> int | None:
    """The existing directory *name*, itself and not through a link; None when there is none."""
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError:
        return None
