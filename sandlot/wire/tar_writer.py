"""Writes a tar archive a member at a time: ustar with PAX records, the same bytes for the same members."""

from __future__ import annotations

import zlib

from .archive_rules import (
    LATEST_MTIME,
    ArchiveError,
    ArchiveRules,
    Member,
    MemberKind,
    check_link,
    plain_name,
    shown,
)
from .tar_header import BLOCK, FITS_OCTAL, Header, padding, render_header, render_records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple

_TYPES = {MemberKind.FILE: b"0", MemberKind.DIRECTORY: b"5", MemberKind.SYMLINK: b"2"}
_LONGEST_FIELD = 100
_GZIP_BITS = 31
# Level 1 packs source text three times as fast as level 6 for a tenth more bytes, and pipes are local.
_LEVEL = 1


class ArchiveWriter:
    """Members become bytes: `member`, for files `data` ..., `end_member`, and at last `finish`.

    Every method returns the bytes to send now, perhaps none. Names and links obey `rules`, by default with
    symlinks; duplicates are the caller's to avoid. Owners are written as 0, setuid, setgid and sticky bits
    dropped, times clamped to 0 to LATEST_MTIME. `remaining` counts the bytes of the current file still to
    come: one that shrank while it was read is filled up with zeros. Calling out of order raises RuntimeError.
    """

    def __init__(self, rules: Optional[ArchiveRules] = None, *, compress: bool = False) -> None:
        self._rules = rules or ArchiveRules(allow_symlinks=True)
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS) if compress else None
        self._size: Optional[int] = None
        self.remaining = 0

    def member(self, member: Member) -> bytes:
        """Begin `member`.

        Raises ArchiveError for what ArchiveReader would refuse: its name, its link, a size on no file.
        """
        self._expect(within_member=False)
        name = plain_name(member.name, self._rules)
        if name != member.name or not name or member.kind not in _TYPES:
            raise ArchiveError("bad_name", f"{shown(member.name)} is no plain name of a {shown(member.kind)}")
        if member.kind == MemberKind.SYMLINK:
            check_link(name, member.link, self._rules)
        if member.size < 0 or (member.size and member.kind != MemberKind.FILE):
            raise ArchiveError("bad_size", f"{member.size} bytes are no size for {shown(name)}")
        self._size = self.remaining = member.size
        return self._sent(_member_header(member))

    def data(self, data: bytes) -> bytes:
        """Add contents to the current file; raises ArchiveError (bad_size) beyond its size."""
        self._expect(within_member=True)
        if len(data) > self.remaining:
            raise ArchiveError("bad_size", f"{len(data)} bytes are more than the {self.remaining} announced")
        self.remaining -= len(data)
        return self._sent(data)

    def end_member(self) -> bytes:
        """Complete the current member; raises ArchiveError (bad_size) when contents are missing."""
        self._expect(within_member=True)
        if self.remaining:
            raise ArchiveError("bad_size", f"{self.remaining} bytes of the current file are missing")
        zeros, self._size = bytes(padding(self._size or 0)), None
        return self._sent(zeros)

    def finish(self) -> bytes:
        """The end of the archive; the writer is of no use afterwards."""
        self._expect(within_member=False)
        tail = self._sent(bytes(2 * BLOCK))
        return tail if self._deflate is None else tail + self._deflate.flush()

    def _expect(self, *, within_member: bool) -> None:
        if within_member != (self._size is not None):
            raise RuntimeError("call member(), then data() and end_member(), for each member, then finish()")

    def _sent(self, data: bytes) -> bytes:
        return data if self._deflate is None else self._deflate.compress(data)


def _member_header(member: Member) -> bytes:
    name, link = member.name.encode("utf-8"), member.link.encode("utf-8")
    records: List[Tuple[bytes, bytes]] = []
    if not _fits(name):
        records.append((b"path", name))
    if not _fits(link):
        records.append((b"linkpath", link))
    if member.size >= FITS_OCTAL:
        records.append((b"size", b"%d" % member.size))
    mtime = min(max(member.mtime, 0), LATEST_MTIME)
    header = Header(name, _TYPES[member.kind], member.size, member.mode & 0o777, mtime, link)
    return (render_records(records) if records else b"") + render_header(header)


def _fits(text: bytes) -> bool:
    # The fields' character set is the reader's guess beyond ASCII; PAX says UTF-8.
    return len(text) <= _LONGEST_FIELD and text.isascii()
