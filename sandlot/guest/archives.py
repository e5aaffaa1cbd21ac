"""`put` and `get`: whole trees as tar. What comes in is staged unseen, and moved only when all of it is good.

`wire.archive` decides what an archive may hold; here its names meet the file system, always relative to an
open directory and never through a link.
"""

from __future__ import annotations

import os
import stat as modes

from ..wire.archive import ArchiveError, ArchiveReader, ArchiveRules, ArchiveWriter, Chunk, Member, MemberKind
from . import refusal
from .beneath import DIRECTORY
from .commit import Staging
from .files import CHANGED, PIECE, temporary
from .refusal import Refusal, from_os
from .removal import discard
from .tasks import INPUT, TURN, Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Generator, List, Tuple

    from .beneath import Place, Roots
    from .tasks import Work

INCOMING = ArchiveRules(max_members=100_000, allow_symlinks=False)
OUTGOING = ArchiveRules(max_members=1_000_000, max_depth=256, allow_symlinks=True)
_EVENTS_PER_TURN = 64
_MOST_SKIPPED_TOLD = 100


def put(roots: Roots, request: Dict[str, Any]) -> Work:
    """`put {path}`: INPUT is an archive that becomes the contents of the directory *path*, made if missing.

    What is there already stays unless a member has its name. Refused whole (archive, no_space, is_directory,
    not_directory), or done whole. DONE tells `members` and `bytes`.
    """
    path = refusal.field(request, "path", str)
    root, names = roots.locate(path)
    name = temporary("put")
    os.mkdir(name, 0o700, dir_fd=root)
    staged = os.open(name, DIRECTORY, dir_fd=root)
    try:
        staging = Staging(staged)
        yield from _unpacked(staging)
        yield from staging.commit(root, names, path)
    except OSError as error:
        raise from_os(error, str(error.filename or path)) from None
    finally:
        os.close(staged)
        yield from _drop(root, name)
    return {"members": staging.members, "bytes": staging.bytes}


def _unpacked(staging: Staging) -> Generator[Any, Any, None]:
    reader = ArchiveReader(INCOMING)
    try:
        while True:
            data = yield INPUT
            if data is None:
                break
            for count, event in enumerate(reader.feed(data)):
                if isinstance(event, Member):
                    staging.begin(event)
                elif isinstance(event, Chunk):
                    staging.write(event.data)
                else:
                    staging.end()
                if count % _EVENTS_PER_TURN == _EVENTS_PER_TURN - 1:
                    yield TURN
        reader.finish()
    except ArchiveError as error:
        raise Refusal("archive", f"the archive is refused ({error.reason}): {error}") from None
    finally:
        staging.close()


def _drop(root: int, name: str) -> Generator[Any, Any, None]:
    """Remove what is left of a staging directory: the request ends when nothing of it is there any more."""
    try:
        for turn in discard(root, name):
            try:
                yield turn
            except Cancelled:  # it is being undone already, because of the archive itself
                continue
    except OSError:  # the guest took it away, or holds it: it is the guest's rubbish then
        pass


def get(roots: Roots, request: Dict[str, Any]) -> Work:
    """`get {path, compress, max_bytes}`: OUTPUT is an archive of a directory's contents, or of one file.

    Regular files, directories, and links that stay beneath; the rest is skipped and told: the first hundred
    in events {"skipped": {"path", "reason"}}, all in DONE's `skipped`. Links are never followed. More than
    *max_bytes* of files, holes counted as if they were written, are refused (too_large).
    """
    compress = refusal.field(request, "compress", bool, False)
    most = refusal.field(request, "max_bytes", int, OUTGOING.max_bytes)
    walk = _Walk(ArchiveWriter(OUTGOING, compress=compress), most)
    with roots.place(refusal.field(request, "path", str)) as place:
        try:
            yield from walk.everything(place)
        except OSError as error:
            raise from_os(error, place.path) from None
        finally:
            walk.close()
    yield walk.writer.finish()
    return {"members": walk.members, "bytes": walk.bytes, "skipped": walk.skipped}


class _Walk:
    """Goes through a tree depth first with one descriptor for each level, and writes down what it finds."""

    def __init__(self, writer: ArchiveWriter, most: int) -> None:
        self.writer = writer
        self._most = most
        self.members = 0
        self.bytes = 0
        self.skipped = 0
        self._levels: List[Tuple[int, Any, str]] = []

    def close(self) -> None:
        for descriptor, names, _ in self._levels:
            names.close()
            os.close(descriptor)
        self._levels.clear()

    def everything(self, place: Place) -> Generator[Any, Any, None]:
        if not modes.S_ISDIR(place.stat().st_mode):
            yield from self._one(place.name, place.name, place.directory)
            return
        self._descend(place.open(os.O_RDONLY | os.O_DIRECTORY), "")
        while self._levels:
            descriptor, names, prefix = self._levels[-1]
            found = next(names, None)
            if found is None:
                names.close()
                os.close(descriptor)
                self._levels.pop()
            else:
                yield from self._one(found.name, prefix + found.name, descriptor)

    def _descend(self, descriptor: int, prefix: str) -> None:
        self._levels.append((descriptor, os.scandir(descriptor), prefix))

    def _one(self, name: str, path: str, directory: int) -> Generator[Any, Any, None]:
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if modes.S_ISREG(found.st_mode):
                yield from self._file(name, path, directory)
            elif modes.S_ISDIR(found.st_mode):
                descriptor = _opened(name, directory, os.O_DIRECTORY)
                yield from self._directory(descriptor, path)
            elif modes.S_ISLNK(found.st_mode):
                target = os.readlink(name, dir_fd=directory)
                yield self._header(path, MemberKind.SYMLINK, found, target) + self.writer.end_member() or TURN
            else:
                yield from self._skip(path, "neither a file, a directory nor a link")
        except FileNotFoundError:  # it vanished meanwhile
            pass
        except PermissionError:
            yield from self._skip(path, "permission denied")
        except OSError as error:
            if error.errno not in CHANGED:
                raise
            yield from self._skip(path, "changed meanwhile")
        except ArchiveError as error:
            yield from self._skip(path, str(error))

    def _directory(self, descriptor: int, path: str) -> Generator[Any, Any, None]:
        try:
            header = self._header(path, MemberKind.DIRECTORY, os.fstat(descriptor)) + self.writer.end_member()
        except ArchiveError:
            os.close(descriptor)
            raise
        self._descend(descriptor, path + "/")
        yield header or TURN

    def _file(self, name: str, path: str, directory: int) -> Generator[Any, Any, None]:
        descriptor = _opened(name, directory, 0)
        try:
            found = os.fstat(descriptor)
            if not modes.S_ISREG(found.st_mode):
                yield from self._skip(path, "not a file any more")
                return
            if self.bytes + found.st_size > self._most:
                raise Refusal(
                    "too_large", f"with {path} ({found.st_size} bytes) there are more than {self._most}"
                )
            yield self._header(path, MemberKind.FILE, found) or TURN
            while self.writer.remaining:
                data = os.read(descriptor, min(PIECE, self.writer.remaining))
                # A file that shrank is filled up with zeros: its size has been told.
                data = data or bytes(min(PIECE, self.writer.remaining))
                self.bytes += len(data)
                yield self.writer.data(data) or TURN
            yield self.writer.end_member() or TURN
        finally:
            os.close(descriptor)

    def _header(self, path: str, kind: str, found: os.stat_result, link: str = "") -> bytes:
        size = found.st_size if kind == MemberKind.FILE else 0
        member = Member(path, kind, size, found.st_mode & 0o777, int(found.st_mtime), link)
        header = self.writer.member(member)
        self.members += 1
        return header

    def _skip(self, path: str, reason: str) -> Generator[Any, Any, None]:
        self.skipped += 1
        if self.skipped <= _MOST_SKIPPED_TOLD:
            yield {"skipped": {"path": path[:1024], "reason": reason[:256]}}


def _opened(name: str, directory: int, flags: int) -> int:
    safe = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    return os.open(name, safe | flags, dir_fd=directory)
