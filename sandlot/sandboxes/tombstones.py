"""Tombstones: the records of sandboxes that ended, for a while and not without end (pure)."""

from __future__ import annotations

from collections import OrderedDict

from .record import Record

KEPT_FOR = 3600.0
"""Seconds for which it is told why a sandbox ended."""

MOST = 10_000
"""Of how many sandboxes it is told."""


class Tombstones:
    """The newest record of each (owner, id) that ended, oldest first."""

    def __init__(self, most: int = MOST, kept_for: float = KEPT_FOR) -> None:
        """Keep *most* of them for *kept_for* seconds."""
        self._most, self._kept_for = most, kept_for
        self._records: OrderedDict[tuple[str, str], Record] = OrderedDict()

    def add(self, record: Record) -> list[str]:
        """Remember *record*; the keys of those that had to make room."""
        replaced = self.take(record.owner, record.id)
        self._records[record.owner, record.id] = record
        gone = [replaced] if replaced is not None else []
        while len(self._records) > self._most:
            gone.append(self._records.popitem(last=False)[1])
        return [each.key for each in gone]

    def find(self, owner: str, name: str) -> Record | None:
        """The record of the last sandbox of that name; None when there is none."""
        return self._records.get((owner, name))

    def of(self, owner: str) -> list[Record]:
        """The records of all that were the sandboxes of *owner*."""
        return [record for (whose, _), record in self._records.items() if whose == owner]

    def take(self, owner: str, name: str) -> Record | None:
        """The same as `find`, and it is forgotten."""
        return self._records.pop((owner, name), None)

    def outdated(self, now: float) -> list[str]:
        """The keys of those whose time is over, which are forgotten."""
        gone: list[str] = []
        while self._records:
            record = next(iter(self._records.values()))
            if record.ending is not None and record.ending.at + self._kept_for > now:
                break
            self._records.popitem(last=False)
            gone.append(record.key)
        return gone
