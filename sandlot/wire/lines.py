"""Lines out of bytes that somebody hostile sends, bounded."""

from __future__ import annotations

from typing import List

LARGEST_LINE = 8 * 2**20
"""Bytes of one line from a context, which the program there keeps to as well."""

_CALLED_OFF = 0x18  # the control character CAN


class LineError(ValueError):
    """A context said what it cannot say."""


class LineReader:
    """Turns received bytes into lines, however they were cut; keeps less than one line between calls.

    A line that ends with the character CAN was called off by its writer and is left out, as an empty one is.
    """

    def __init__(self, longest: int = LARGEST_LINE) -> None:
        """Refuse lines of more than *longest* bytes."""
        self._longest = longest
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> List[bytes]:
        """The lines that *data* completes, without their ends. Raises LineError."""
        self._buffer += data
        lines: List[bytes] = []
        start = 0
        while (end := self._buffer.find(b"\n", max(start, self._searched))) >= 0:
            self._check(end - start)
            if end > start and self._buffer[end - 1] != _CALLED_OFF:
                lines.append(bytes(self._buffer[start:end]))
            start = end + 1
        del self._buffer[:start]
        self._searched = len(self._buffer)
        self._check(len(self._buffer))
        return lines

    def _check(self, length: int) -> None:
        if length > self._longest:
            raise LineError(f"it sent a line of more than {self._longest} bytes")
