"""The entries of a tar archive one after the other, with unwelcome ones told apart rather than refused.

`wire.archive` refuses an archive for one bad name; NoxRunner's clients leave the bad one out and take the
rest, so the loop is this module's own, over the same header parser, expander and name rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, Optional

from sandlot.wire.archive_rules import (
    LATEST_MTIME,
    ArchiveError,
    ArchiveRules,
    check_link,
    decoded,
    plain_name,
    shown,
)
from sandlot.wire.expander import STEP, Expander
from sandlot.wire.tar_header import (
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

# A workspace holds more files than an upload. gzip reaches 1032, so files of zeros may come home.
RULES = ArchiveRules(
    max_members=1_000_000, max_bytes=2**33, max_member_bytes=2**33, max_ratio=1100, allow_symlinks=True
)
_LONGEST_EXTENSION = 65536
_FILE, _DIRECTORY, _SYMLINK, _HARD_LINK = "file", "directory", "symlink", "hard link"
_KINDS = {
    b"0": _FILE,
    b"\0": _FILE,
    b"7": _FILE,
    b"5": _DIRECTORY,
    b"2": _SYMLINK,
    b"1": _HARD_LINK,
}
_SPARSE_RECORDS = ("GNU.sparse.", "SCHILY.realsize", "SCHILY.filetype")


@dataclass(frozen=True)
class Entry:
    """One entry. `written` is the name as sent; `name` is plain, empty for the root, None if unwelcome.

    `kind` is file, directory, symlink or `hard link`; `link` is a link's target, for a hard link plain;
    `chunks` are the contents, to be read before the next entry or not at all.
    """

    written: str
    name: Optional[str]
    kind: str
    mode: int
    mtime: int
    link: str
    chunks: Iterator[bytes]


def entries(tar_data: bytes) -> Iterator[Entry]:
    """The entries of a whole archive, gzipped or not; raises ArchiveError where it cannot be trusted.

    Unwelcome is what would leave the directory: absolute names, `..`, links that lead out, and devices.
    """
    source = _Source(tar_data)
    records: Dict[str, bytes] = {}
    headers = expanded = 0
    for header in source.headers():
        size = _size(header, records)
        headers, expanded = headers + 1, expanded + size
        _check_limits(headers, expanded, header)
        if header.type in EXTENSIONS:
            found = parse_extension(header.type, b"".join(source.contents(size)))
            if header.type != PAX_GLOBAL:
                records.update(found)
        else:
            yield _entry(header, records, source.contents(size))
            records = {}
        source.finish_entry(size)


class _Source:
    """Blocks and contents of the archive, expanded a step at a time."""

    def __init__(self, tar_data: bytes) -> None:
        self._expander = Expander(RULES.max_ratio)
        self._expander.feed(tar_data)
        self._left = 0

    def headers(self) -> Iterator[Header]:
        """Header after header, to the block of zeros or the end; what follows is nobody's business."""
        while self._wait():
            block = self._exactly(BLOCK)
            if not any(block):
                return
            yield parse_header(block)
        self._expander.finish()

    def contents(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes, to be read before `finish_entry` or not at all."""
        self._left = size
        return self._chunks()

    def _chunks(self) -> Iterator[bytes]:
        ready = self._expander.ready
        while self._left:
            self._need()
            data = bytes(ready[: min(self._left, STEP)])
            del ready[: len(data)]
            self._left -= len(data)
            yield data

    def finish_entry(self, size: int) -> None:
        """Pass over what was not read of `size` bytes, and their padding."""
        for _ in self._chunks():
            pass
        self._exactly(padding(size))

    def _exactly(self, size: int) -> bytes:
        ready = self._expander.ready
        while len(ready) < size:
            if not self._expander.fill():
                raise ArchiveError("truncated", "the archive ends too early")
        taken = bytes(ready[:size])
        del ready[:size]
        return taken

    def _need(self) -> None:
        if not self._wait():
            raise ArchiveError("truncated", "the archive ends too early")

    def _wait(self) -> bool:
        return bool(self._expander.ready) or self._expander.fill()


def _check_limits(headers: int, expanded: int, header: Header) -> None:
    if header.type in EXTENSIONS and header.size > _LONGEST_EXTENSION:
        raise ArchiveError("bad_extension", f"a header extension of {header.size} bytes is too long")
    if headers > RULES.max_members or expanded > RULES.max_bytes:
        raise ArchiveError("too_big", f"the archive is too big: {headers} members, {expanded} bytes so far")


def _size(header: Header, records: Dict[str, bytes]) -> int:
    if header.type in EXTENSIONS or "size" not in records:
        return header.size
    size = parse_decimal(records["size"])
    # As in wire.archive: readers that believe different sizes see different members (CVE-2025-62518).
    if size < 0 or (size != header.size and (header.size or size < FITS_OCTAL)):
        raise ArchiveError("bad_size", f"{shown(header.name)} has two sizes: {header.size} and {size}")
    return size


def _entry(header: Header, records: Dict[str, bytes], chunks: Iterator[bytes]) -> Entry:
    if header.type == b"S" or any(key.startswith(_SPARSE_RECORDS) for key in records):
        raise ArchiveError("sparse", f"{shown(header.name)} is a sparse file: archive it without --sparse")
    written = decoded(records.get("path", header.name))
    link = decoded(records.get("linkpath", header.link))
    kind = _DIRECTORY if written.endswith("/") else _KINDS.get(header.type, "")
    mtime = parse_decimal(records["mtime"]) if "mtime" in records else header.mtime
    return Entry(
        written=written,
        name=_welcome(written, kind, link),
        kind=kind,
        mode=header.mode & 0o777,
        mtime=min(max(mtime, 0), LATEST_MTIME),
        link=link,
        chunks=chunks,
    )


def _welcome(written: str, kind: str, link: str) -> Optional[str]:
    """The plain name of an entry that may be written, else None."""
    try:
        name = plain_name(written, RULES)
        if kind == _SYMLINK:
            check_link(name, link, RULES)
        elif kind == _HARD_LINK:
            plain_name(link, RULES)
    except ArchiveError:
        return None
    return name if kind in _KINDS.values() else None
