"""The last output of a background process: the newest mebibyte, addressed by how much came before."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

CAPACITY = 2**20


class Ring:
    """Bytes in the order they came; when full, the oldest are dropped."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Keep at most *capacity* bytes."""
        self._capacity = capacity
        self._held = bytearray()
        self.end = 0

    def add(self, data: bytes) -> None:
        """Append output."""
        self.end += len(data)
        self._held += data
        del self._held[: max(0, len(self._held) - self._capacity)]

    def read(self, offset: int, size: int) -> Tuple[int, bytes]:
        """At most *size* bytes from *offset* on, and where they begin: later, when what was there is lost."""
        begin = self.end - len(self._held)
        first = min(max(offset, begin), self.end)
        return first, bytes(self._held[first - begin : first - begin + size])
