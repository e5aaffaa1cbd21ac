"""Host files as tar streams for a box: read by descriptor, links never followed."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path, PurePosixPath
from typing import AsyncIterator, Callable, Iterable, Iterator, List, Mapping, Optional, Tuple

from sandlot.contracts.errors import InvalidSpec, NotFound
from sandlot.contracts.paths import sandbox_path
from sandlot.wire.archive import ArchiveError, ArchiveWriter, Member, MemberKind

from .descriptors import finished, require_descriptors

Skipped = Callable[[str, str], None]
"""Called with the name of what is left out and what it is."""

_STEP = 262_144
# Windows has none of these flags and opens nothing by a directory's descriptor: `pieces` refuses there.
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_BELOW = _OPEN | getattr(os, "O_NOFOLLOW", 0)
_WHAT = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}


def packed(files: Mapping[str, bytes], folder: PurePosixPath) -> bytes:
    """A tar of *files* for unpacking under *folder*. Raises PathEscape for a name that leaves it."""
    writer = ArchiveWriter()
    parts: List[bytes] = []
    for name, content in sorted(files.items()):
        path = sandbox_path(name, base=folder)
        if folder not in path.parents:
            raise InvalidSpec(f"the file {name!r} is not below {folder}: give a relative name")
        member = Member(str(path.relative_to(folder)), MemberKind.FILE, len(content), mtime=int(time.time()))
        parts += (writer.member(member), writer.data(content), writer.end_member())
    return b"".join([*parts, writer.finish()])


def folders(*names: str) -> bytes:
    """A tar of empty directories."""
    writer = ArchiveWriter()
    parts = [
        writer.member(Member(name, MemberKind.DIRECTORY, mode=0o755)) + writer.end_member() for name in names
    ]
    return b"".join([*parts, writer.finish()])


def pieces(path: Path, name: str, skipped: Skipped) -> Iterator[bytes]:
    """The tar of the host's file or directory *path*, called *name* in it (a relative name).

    It comes in pieces of 256 KiB or more, none empty. Links, FIFOs, sockets and devices are left out and told
    to *skipped*. Raises NotFound when *path* cannot be opened, InvalidSpec for names no archive may hold,
    Unsupported on Windows.
    """
    require_descriptors()
    waiting = bytearray()
    for part in _members(path, name, skipped):
        waiting += part
        if len(waiting) >= _STEP:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


async def stream(path: Path, name: str, skipped: Skipped) -> AsyncIterator[bytes]:
    """As `pieces`, read in a thread."""
    parts = pieces(path, name, skipped)
    while True:
        data = await finished(next, parts, b"")
        if not data:
            return
        yield data


def _members(path: Path, name: str, skipped: Skipped) -> Iterator[bytes]:
    writer = ArchiveWriter()
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as cause:
        raise NotFound(f"{path} cannot be read: {cause.strerror}") from cause
    try:
        yield from _entry(descriptor, name, writer, skipped)
    except ArchiveError as cause:
        raise InvalidSpec(f"{path} cannot be put into a sandbox: {cause}") from cause
    yield writer.finish()


def _entry(descriptor: int, name: str, writer: ArchiveWriter, skipped: Skipped) -> Iterator[bytes]:
    """What the open *descriptor*, which is closed here, and all below it amount to."""
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            yield from _file(descriptor, name, status, writer)
        elif stat.S_ISDIR(status.st_mode):
            mode, mtime = stat.S_IMODE(status.st_mode) & 0o777, int(status.st_mtime)
            yield writer.member(Member(name, MemberKind.DIRECTORY, mode=mode, mtime=mtime))
            yield writer.end_member()
            yield from _inside(descriptor, name, writer, skipped)
        else:
            skipped(name, _WHAT.get(stat.S_IFMT(status.st_mode), "a device"))
    finally:
        os.close(descriptor)


def _inside(folder: int, name: str, writer: ArchiveWriter, skipped: Skipped) -> Iterator[bytes]:
    # Depth is bounded by the archive's rules, which refuse the 65th level.
    for inner in sorted(os.listdir(folder)):
        shown = f"{name}/{inner}"
        try:
            descriptor = os.open(inner, _BELOW, dir_fd=folder)
        except OSError as cause:
            skipped(shown, _unopened(inner, folder) or f"unreadable: {cause.strerror}")
            continue
        yield from _entry(descriptor, shown, writer, skipped)


def _unopened(inner: str, folder: int) -> Optional[str]:
    """What a thing is that cannot be opened at all: links (ELOOP) and sockets (ENXIO)."""
    try:
        return _WHAT.get(stat.S_IFMT(os.stat(inner, dir_fd=folder, follow_symlinks=False).st_mode))
    except OSError:
        return None


def _file(descriptor: int, name: str, status: os.stat_result, writer: ArchiveWriter) -> Iterator[bytes]:
    mode, mtime = stat.S_IMODE(status.st_mode) & 0o777, int(status.st_mtime)
    yield writer.member(Member(name, MemberKind.FILE, status.st_size, mode, mtime))
    # A file that grows is cut at the size announced; one that shrinks is filled up with zeros.
    while writer.remaining:
        data = os.read(descriptor, min(_STEP, writer.remaining))
        yield writer.data(data or bytes(min(_STEP, writer.remaining)))
    yield writer.end_member()


async def once(data: bytes) -> AsyncIterator[bytes]:
    """*data* as a stream."""
    yield data


def leaving_out(left_out: Iterable[Tuple[str, str]], most: int = 5) -> List[str]:
    """Lines that tell what was left out of a sandbox, a few of many."""
    listed = list(left_out)
    lines = [f"{name} is {what}: left out" for name, what in listed[:most]]
    return lines if len(listed) <= most else [*lines, f"and {len(listed) - most} more left out"]
