"""gzip as it is written (RFC 1952), which stores what would not become smaller instead of deflating it."""

from __future__ import annotations

import struct
import zlib

_HEADER = b"\x1f\x8b\x08" + bytes(5) + b"\x04\xff"  # deflate, no name, no time, fastest, any system
_FASTEST = 1
_RAW = -15  # the largest window, without zlib's own header
_STORED = struct.Struct("<BHH")  # RFC 1951, 3.2.4
_LONGEST_STORED = 65_535
_TRAILER = struct.Struct("<II")
_SAMPLE = 4096
_SHORT = 4 * _SAMPLE
"""What is shorter is deflated unseen: the look would take as long."""
_GAIN = 15 / 16
"""What a sample must shrink to: deflating noise takes ten times as long as all else that is done with it."""


class GzipWriter:
    """Packs what it is given piece by piece, each judged by a sample from its middle.

    Pieces of 64 KiB suit: deflating one takes 3 ms at most, storing it a tenth of one.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._deflater = zlib.compressobj(_FASTEST, zlib.DEFLATED, _RAW)
        self._has_window = False
        self._head = _HEADER
        self._check = self._size = 0

    def write(self, data: bytes) -> bytes:
        """What is ready of *data* and of what came before."""
        head, self._head = self._head, b""
        self._check = zlib.crc32(data, self._check)
        self._size += len(data)
        if _shrinks(data):
            self._has_window = True
            return head + self._deflater.compress(data)
        return head + self._aligned() + _stored(data)

    def finish(self) -> bytes:
        """The rest; nothing can be written afterwards."""
        return self._head + self._deflater.flush() + _TRAILER.pack(self._check, self._size & 0xFFFFFFFF)

    def _aligned(self) -> bytes:
        """The end of what is being deflated, which nothing later refers back to: the deflater sees no gap."""
        if not self._has_window:
            return b""
        self._has_window = False
        return self._deflater.flush(zlib.Z_FULL_FLUSH)


def _shrinks(data: bytes) -> bool:
    if len(data) < _SHORT:
        return True
    begin = (len(data) - _SAMPLE) // 2
    sample = data[begin : begin + _SAMPLE]
    return len(zlib.compress(sample, _FASTEST)) < _GAIN * len(sample)


def _stored(data: bytes) -> bytes:
    parts = bytearray()
    for begin in range(0, len(data), _LONGEST_STORED):
        piece = data[begin : begin + _LONGEST_STORED]
        parts += _STORED.pack(0, len(piece), len(piece) ^ 0xFFFF)
        parts += piece
    return bytes(parts)
