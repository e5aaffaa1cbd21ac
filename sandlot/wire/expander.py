"""Tar bytes out of received bytes, gzipped or not, a bounded step at a time.

gzip is known by its first two bytes, which no tar header can have: they are not UTF-8.
"""

from __future__ import annotations

import zlib

from .archive_rules import ArchiveError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

STEP = 65536  # expanded bytes made at once
MOST_PADDING = 2**20  # zeros allowed after the end; GNU tar pads to 10 KiB
_PIECE = 16384  # compressed bytes tried at once: zlib hands back a copy of what it did not use
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_BITS = 31  # zlib: the largest window, with gzip's header and checksum required
_RATIO_GRACE = 2**25  # expanded bytes before the ratio counts


class Expander:
    """A queue: `feed` puts received bytes in, `fill` moves some, expanded, to `ready`.

    `ready` grows by at most STEP bytes with each `fill`; whoever reads deletes what it took. The input waits
    untouched, so memory is what was fed and not yet expanded, plus STEP.
    """

    def __init__(self, max_ratio: int) -> None:
        self.ready = bytearray()
        self._waiting = bytearray()
        self._piece = b""
        self._max_ratio = max_ratio
        self._known = False
        self._gzip: Optional[zlib._Decompress] = None
        self._consumed = 0
        self._expanded = 0

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self._waiting += data
        if not self._known and len(self._waiting) >= len(_GZIP_MAGIC):
            self._known = True
            if self._waiting.startswith(_GZIP_MAGIC):
                self._gzip = zlib.decompressobj(_GZIP_BITS)

    def fill(self) -> bool:
        """Move a step's worth to `ready`; False when that needs more input.

        Raises ArchiveError: corrupt, expands_too_much, trailing.
        """
        if not self._known:
            return False
        if self._gzip is None:
            moved = self._take(STEP)
            self.ready += moved
            return bool(moved)
        while not self._gzip.eof:
            piece = self._piece or self._take(_PIECE)
            expanded = self._expand(self._gzip, piece)
            if expanded:
                self.ready += expanded
                return True
            if not piece:
                return False
        self._check_trailing(self._gzip.unused_data)
        return False

    def finish(self) -> None:
        """Say that no more input will come; raises ArchiveError (truncated) in the midst of gzip."""
        if self._gzip is not None and not self._gzip.eof:
            raise ArchiveError("truncated", "the gzip stream ends too early: send the archive again")

    def _take(self, size: int) -> bytes:
        piece = bytes(self._waiting[:size])
        del self._waiting[:size]
        return piece

    def _expand(self, gzip: zlib._Decompress, piece: bytes) -> bytes:
        try:
            expanded = gzip.decompress(piece, STEP)
        except zlib.error as error:
            raise ArchiveError("corrupt", f"the gzip stream is damaged: {error}") from None
        self._piece = gzip.unconsumed_tail
        self._consumed += len(piece) - len(self._piece)
        self._expanded += len(expanded)
        if self._expanded > max(_RATIO_GRACE, self._max_ratio * self._consumed):
            message = f"the archive expands more than {self._max_ratio} times: send it uncompressed"
            raise ArchiveError("expands_too_much", message)
        return expanded

    def _check_trailing(self, unused: bytes) -> None:
        if unused.strip(b"\0") or self._waiting.strip(b"\0"):
            raise ArchiveError("trailing", "bytes follow the gzip stream: send one gzip member only")
        self._waiting.clear()
