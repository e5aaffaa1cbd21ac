"""Agenda: what is due when, earliest first (pure)."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_SPARE = 64


class Agenda(Generic[Key]):
    """Keys with one time each. A later time for a known key waits for the earlier one to come due.

    So a lease that is renewed a thousand times a minute costs one entry: whoever asks what is `due` looks at
    the lease and notes it again.
    """

    def __init__(self) -> None:
        """Nothing is noted."""
        self._times: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = 0

    def note(self, key: Key, when: float) -> bool:
        """Look at *key* no later than *when*; whether that is now the earliest of all."""
        if self._times.get(key, float("inf")) <= when:
            return False
        self._drop_stale()
        self._times[key] = when
        self._count += 1  # keys need no order of their own
        heapq.heappush(self._heap, (when, self._count, key))
        return self._heap[0][1] == self._count

    def forget(self, key: Key) -> None:
        """Look at *key* no more; an unknown one is no error."""
        self._times.pop(key, None)

    @property
    def first(self) -> float | None:
        """When the next one is due."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[Key]:
        """The keys whose time has come, taken off."""
        found: list[Key] = []
        while (first := self.first) is not None and first <= now:
            key = heapq.heappop(self._heap)[2]
            del self._times[key]
            found.append(key)
        return found

    def _drop_stale(self) -> None:
        # An earlier time was noted for a key after this one was, or the key came due by it or was forgotten.
        while self._heap and not self._is_valid(self._heap[0]):
            heapq.heappop(self._heap)
        # Those further down would stay until their time, which may be a year away.
        if len(self._heap) > 2 * len(self._times) + _SPARE:
            self._heap = [entry for entry in self._heap if self._is_valid(entry)]
            heapq.heapify(self._heap)

    def _is_valid(self, entry: tuple[float, int, Key]) -> bool:
        return self._times.get(entry[2]) == entry[0]
