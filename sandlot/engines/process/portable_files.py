"""Archives in and out of a plain directory, by the rules of wire.archive.

The box's programs have the same user as this process, so they could write anywhere anyway: what is prevented
here is that an *archive* leads out, and that a link left in the workspace does.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterable, Iterator
from pathlib import Path
from typing import BinaryIO

from sandlot.contracts.errors import Conflict, InvalidSpec, NotFound, PathEscape
from sandlot.wire.archive import (
    ArchiveError,
    ArchiveReader,
    ArchiveRules,
    ArchiveWriter,
    Chunk,
    Member,
    MemberKind,
)

_CHUNK = 65_536


async def unpack(tar: AsyncIterable[bytes], into: Path) -> None:
    """Unpack under the empty directory *into*. Raises InvalidSpec for an archive that is refused."""
    reader, unpacker = ArchiveReader(ArchiveRules(max_members=100_000)), _Unpacker(into)
    try:
        async for data in tar:
            for event in reader.feed(data):
                unpacker.take(event)
        reader.finish()
    except ArchiveError as error:
        raise InvalidSpec(f"the archive is refused ({error.reason}): {error}") from error
    finally:
        unpacker.close()


def move_in(staged: Path, target: Path, home: Path) -> None:
    """Move everything staged into *target*, replacing files. Raises PathEscape, Conflict."""
    for parent, directories, files in os.walk(staged):
        place = target / Path(parent).relative_to(staged)
        _refuse_links(place, home)
        place.mkdir(parents=True, exist_ok=True)
        for name in directories:
            if (place / name).is_file():
                raise Conflict(f"{name} is a directory in the archive and a file in the sandbox")
        for name in files:
            if (place / name).is_dir() and not (place / name).is_symlink():
                raise Conflict(f"{name} is a file in the archive and a directory in the sandbox")
            os.replace(os.path.join(parent, name), place / name)


def pack(path: Path) -> Iterator[bytes]:
    """The tar stream of *path*; special files and links that lead out are left out. Raises NotFound."""
    if not path.exists():
        raise NotFound(f"{path.name} does not exist in the sandbox")
    writer = ArchiveWriter()
    for found in sorted(path.rglob("*")) if path.is_dir() else [path]:
        name = found.relative_to(path if path.is_dir() else path.parent).as_posix()
        yield from _packed(writer, found, name)
    yield writer.finish()


def _packed(writer: ArchiveWriter, found: Path, name: str) -> Iterator[bytes]:
    status = found.lstat()
    mode, mtime = stat.S_IMODE(status.st_mode) & 0o777, int(status.st_mtime)
    try:
        if stat.S_ISLNK(status.st_mode):
            yield writer.member(Member(name, MemberKind.SYMLINK, 0, mode, mtime, os.readlink(found)))
        elif stat.S_ISDIR(status.st_mode):
            yield writer.member(Member(name, MemberKind.DIRECTORY, 0, mode, mtime))
        elif stat.S_ISREG(status.st_mode):
            yield writer.member(Member(name, MemberKind.FILE, status.st_size, mode, mtime))
            yield from _contents(writer, found)
        else:
            return
    except ArchiveError:
        return
    yield writer.end_member()


def _contents(writer: ArchiveWriter, found: Path) -> Iterator[bytes]:
    with found.open("rb") as file:
        while writer.remaining and (data := file.read(min(_CHUNK, writer.remaining))):
            yield writer.data(data)
    while writer.remaining:  # it shrank meanwhile
        yield writer.data(bytes(min(_CHUNK, writer.remaining)))


def _refuse_links(place: Path, home: Path) -> None:
    for parent in (place, *place.parents):
        if parent == home:
            return
        if parent.is_symlink():
            raise PathEscape(f"{parent.name} is a link: unpack beneath a real directory")


class _Unpacker:
    def __init__(self, into: Path) -> None:
        self._into = into
        self._file: BinaryIO | None = None

    def take(self, event: object) -> None:
        if isinstance(event, Chunk) and self._file is not None:
            self._file.write(event.data)
        elif isinstance(event, Member):
            self._begin(event)
        else:
            self.close()

    def _begin(self, member: Member) -> None:
        path = self._into / member.name
        if member.kind == MemberKind.DIRECTORY:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("xb")
        os.chmod(path, member.mode | stat.S_IRUSR | stat.S_IWUSR)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
