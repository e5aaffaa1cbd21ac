"""Archives in and out of a box: tar, gzipped or not, read as events and written by members.

The reader refuses whatever extraction could be misled by (`archive_rules`). It cannot know what follows, so
an archive is good only when `finish` has returned: extract to a place nobody sees, then rename.
"""

from __future__ import annotations

from .archive_rules import (
    LATEST_MTIME,
    ArchiveError,
    ArchiveRules,
    Member,
    MemberKind,
    Tree,
    check_link,
    decoded,
    plain_name,
    shown,
)
from .expander import MOST_PADDING, STEP, Expander
from .frozen import Frozen
from .tar_header import (
    BLOCK,
    EXTENSIONS,
    FITS_OCTAL,
    PAX_GLOBAL,
    Header,
    padding,
    parse_decimal,
    parse_extension,
    parse_header,
)
from .tar_writer import ArchiveWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Generator, Iterator, List, Optional, Union

__all__ = [
    "ArchiveError",
    "ArchiveReader",
    "ArchiveRules",
    "ArchiveWriter",
    "Chunk",
    "Member",
    "MemberEnd",
    "MemberKind",
    "check_link",
    "plain_name",
]

_LONGEST_EXTENSION = 65536
_MOST_HEADERS = 4  # for one member: its own, PAX records, a long name, a long link
_KINDS = {
    b"0": MemberKind.FILE,
    b"\0": MemberKind.FILE,
    b"5": MemberKind.DIRECTORY,
    b"2": MemberKind.SYMLINK,
}
_REFUSED = {
    b"1": ("hard_link", "a hard link"),
    b"3": ("special", "a character device"),
    b"4": ("special", "a block device"),
    b"6": ("special", "a FIFO"),
    b"S": ("sparse", "a sparse file"),
}
_SPARSE_RECORDS = ("GNU.sparse.", "SCHILY.realsize", "SCHILY.filetype")
_NOT_GLOBAL = ("path", "linkpath", "size", *_SPARSE_RECORDS)


class Chunk(Frozen):
    """The next bytes of the current file, at most 64 KiB."""

    data: bytes


class MemberEnd(Frozen):
    """The current member, of whatever kind, is complete."""


class ArchiveReader:
    """Reads one archive. Events: Member, then for files Chunk ..., then MemberEnd; the root is left out.

    Iterate over what `feed` returns: bytes are expanded and judged as the iterator advances, so memory stays
    below what was fed and not yet read, plus 256 KiB and the names. What is not iterated over waits for the
    next call. Once an ArchiveError was raised, it is raised for ever.
    """

    def __init__(self, rules: Optional[ArchiveRules] = None) -> None:
        self._rules = rules or ArchiveRules()
        self._source = Expander(self._rules.max_ratio)
        self._tree = Tree(self._rules)
        self._bytes = 0
        self._headers = 0
        self._announced: List[bytes] = []
        self._records: Dict[str, bytes] = {}
        self._complete = False
        self._error: Optional[ArchiveError] = None
        self._steps = self._archive()

    def feed(self, data: bytes) -> Iterator[ArchiveEvent]:
        """Take the next bytes; the events they complete. Iterating raises ArchiveError."""
        self._source.feed(data)
        return self._events()

    def finish(self) -> None:
        """Say that no more bytes will come: returns only for an archive that is complete and accepted.

        Raises ArchiveError, with `truncated` also when events were left unread.
        """
        if next(self._events(), None) is None:
            self._source.finish()
            if self._complete:
                return
        raise ArchiveError("truncated", "the archive ends too early: send it again")

    def _events(self) -> Iterator[ArchiveEvent]:
        if self._error is not None:
            raise self._error
        complete: Iterator[ArchiveEvent] = iter(self._steps.__next__, None)
        try:
            yield from complete
        except ArchiveError as error:
            self._error = error
            raise

    # The parser is one generator, written as the format reads; it yields None where it needs more input.

    def _archive(self) -> Steps:
        block = yield from self._exactly(BLOCK)
        while any(block):
            yield from self._entry(parse_header(block))
            block = yield from self._exactly(BLOCK)
        if self._announced:
            raise ArchiveError("bad_extension", "the archive ends where a member was announced")
        if any((yield from self._exactly(BLOCK))):
            raise ArchiveError("trailing", "a header follows the end of the archive")
        self._complete = True
        yield from self._trailing()

    def _exactly(self, size: int) -> Generator[None, None, bytes]:
        ready = self._source.ready
        while len(ready) < size:
            if not self._source.fill():
                yield None
        taken = bytes(ready[:size])
        del ready[:size]
        return taken

    def _trailing(self) -> Steps:
        ready, padded = self._source.ready, 0
        while True:
            padded += len(ready)
            if any(ready):
                raise ArchiveError("trailing", "bytes follow the end of the archive: send one archive only")
            if padded > MOST_PADDING:
                raise ArchiveError("trailing", f"more than {MOST_PADDING} zeros follow the archive's end")
            ready.clear()
            if not self._source.fill():
                yield None

    def _entry(self, header: Header) -> Steps:
        self._count_header()
        if header.type in EXTENSIONS:
            yield from self._extension(header)
            return
        member = self._member(header)
        self._announced, self._records = [], {}
        if not member.name:
            return
        self._tree.add(member.name, member.kind)
        self._count_bytes(member.size)
        yield member
        yield from self._contents(member.size)
        yield MemberEnd()

    def _contents(self, size: int) -> Steps:
        ready, left = self._source.ready, size
        while left:
            if not ready and not self._source.fill():
                yield None
                continue
            data = bytes(ready[: min(left, STEP)])
            del ready[: len(data)]
            left -= len(data)
            yield Chunk(data)
        if padding(size):
            yield from self._padding(size)

    def _padding(self, size: int) -> Generator[None, None, None]:
        # Whatever it holds: some writers leave old bytes there, and nobody reads them.
        yield from self._exactly(padding(size))

    def _extension(self, header: Header) -> Steps:
        if header.size > _LONGEST_EXTENSION:
            message = f"a header extension of {header.size} bytes is too long: {_LONGEST_EXTENSION} at most"
            raise ArchiveError("bad_extension", message)
        self._count_bytes(header.size)
        body = yield from self._exactly(header.size)
        yield from self._padding(header.size)
        records = parse_extension(header.type, body)
        if header.type == PAX_GLOBAL:
            self._check_global(records)
            return
        if header.type in self._announced or not records.keys().isdisjoint(self._records):
            raise ArchiveError("bad_extension", "a member is named or described twice before its header")
        self._announced.append(header.type)
        self._records.update(records)

    def _check_global(self, records: Dict[str, bytes]) -> None:
        # `git archive` writes one, with a comment. What would rename or resize every member is refused.
        if any(key.startswith(_NOT_GLOBAL) for key in records):
            raise ArchiveError("bad_extension", "global PAX records may not name or resize members")

    def _member(self, header: Header) -> Member:
        records = self._records
        raw = records.get("path", header.name)
        if header.type in _REFUSED:
            reason, what = _REFUSED[header.type]
            raise ArchiveError(reason, f"{shown(raw)} is {what}: leave it out of the archive")
        if header.type not in _KINDS:
            raise ArchiveError("unsupported", f"{shown(raw)} is of the unknown type {header.type!r}")
        if any(key.startswith(_SPARSE_RECORDS) for key in records):
            raise ArchiveError("sparse", f"{shown(raw)} is a sparse file: archive it without --sparse")
        kind, written = _KINDS[header.type], decoded(raw)
        name = plain_name(written, self._rules)
        link = decoded(records.get("linkpath", header.link)) if kind == MemberKind.SYMLINK else ""
        if kind == MemberKind.SYMLINK:
            check_link(name, link, self._rules)
        if kind != MemberKind.DIRECTORY and (not name or written.endswith(("/", "/."))):
            raise ArchiveError("bad_name", f"the name {shown(written)} of a {kind} means a directory")
        mtime = parse_decimal(records["mtime"]) if "mtime" in records else header.mtime
        size = self._size(header, kind)
        # By position, which is a fifth of the time of the whole: there may be a hundred thousand of them.
        return Member(name, kind, size, header.mode & 0o777, min(max(mtime, 0), LATEST_MTIME), link)

    def _size(self, header: Header, kind: str) -> int:
        size = parse_decimal(self._records["size"]) if "size" in self._records else header.size
        # Readers differ in which of two sizes they believe, so a second one smuggles members past the other
        # reader (CVE-2025-62518). Only a size that the header cannot hold may come from elsewhere.
        if size != header.size and (header.size or size < FITS_OCTAL):
            raise ArchiveError("bad_size", f"{shown(header.name)} has two sizes: {header.size} and {size}")
        if size and kind != MemberKind.FILE:
            raise ArchiveError("bad_size", f"the {kind} {shown(header.name)} has contents: {size} bytes")
        return size

    def _count_header(self) -> None:
        # Members without a place in the tree, such as the root or global records, cost time all the same.
        self._headers += 1
        if self._headers > _MOST_HEADERS * self._rules.max_members:
            raise ArchiveError("too_many", f"the archive has too many headers, {self._headers} so far")

    def _count_bytes(self, size: int) -> None:
        self._bytes += size
        rules = self._rules
        if size > rules.max_member_bytes or self._bytes > rules.max_bytes:
            limits = f"{rules.max_member_bytes} bytes a member, {rules.max_bytes} in all"
            raise ArchiveError("too_big", f"the archive is too big, {self._bytes} bytes so far: {limits}")


if TYPE_CHECKING:
    ArchiveEvent = Union[Member, Chunk, MemberEnd]
    Steps = Generator[Optional[ArchiveEvent], None, None]
