"""Where records are remembered: the protocol, and the one that forgets with the process."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from .record import Record


class Registry(Protocol):
    """Remembers records by their keys. Of two saves of one key the later one called wins.

    `was_interrupted` says whether the one before it ended without `close`.
    """

    was_interrupted: bool

    async def load(self) -> tuple[Record, ...]:
        """Every record. Raises Conflict when they cannot be read."""

    async def save(self, record: Record) -> None:
        """Remember *record* instead of the one of the same key; once it returns, a crash does not undo it.

        Raises DiskFull, StartFailed.
        """

    async def forget(self, keys: Collection[str]) -> None:
        """Forget these records; unknown ones are no error."""

    async def close(self) -> None:
        """Let go; idempotent. Nothing else is called afterwards."""


class MemoryRegistry:
    """Implements Registry for sandboxes that end with this process."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self.was_interrupted = False
        self._records: dict[str, Record] = {}

    async def load(self) -> tuple[Record, ...]:
        return tuple(self._records.values())

    async def save(self, record: Record) -> None:
        self._records[record.key] = record

    async def forget(self, keys: Collection[str]) -> None:
        for key in keys:
            self._records.pop(key, None)

    async def close(self) -> None:
        """Nothing is held."""
