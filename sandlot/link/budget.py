"""How much of a cell's text is told: the first half at once, the last at the end, a note between them."""

from __future__ import annotations

from collections import deque

from sandlot.contracts.cells import Spilled, Streamed, StreamName


class Budget:
    """Counts the text of one cell in bytes of UTF-8, both streams together."""

    def __init__(self, limit: int) -> None:
        """Tell at most *limit* bytes and a note."""
        self._head = limit - limit // 2
        self._most = limit // 2
        self._tail: deque[Streamed] = deque()
        self._held = 0
        self.dropped = 0

    def take(self, event: Streamed) -> Streamed | None:
        """What of *event* is to be told now."""
        if self._head <= 0:
            self._hold(event)
            return None
        size = _size(event.text)
        if size <= self._head:
            self._head -= size
            return event
        now, later = _cut(event.text, self._head)
        self._head = 0
        self._hold(Streamed(event.stream, later))
        return Streamed(event.stream, now) if now else None

    def rest(self, spilled: Spilled | None = None) -> list[Streamed]:
        """What is to be told at the end of the cell, all of whose text is in *spilled*."""
        held = list(self._tail)
        self._tail.clear()
        if self.dropped:
            where = "" if spilled is None else f"; {spilled.path} has all of it"
            note = f"\n[... {self.dropped} bytes of output were left out{where} ...]\n"
            held.insert(0, Streamed(held[0].stream if held else StreamName.STDOUT, note))
        return held

    def drop(self, size: int) -> None:
        """Count what is left out for another reason."""
        self.dropped += size

    def _hold(self, event: Streamed) -> None:
        if not event.text:
            return
        last = self._tail[-1] if self._tail else None
        if last is not None and last.stream is event.stream and len(last.text) < _SHORT:
            self._tail[-1] = Streamed(event.stream, last.text + event.text)
        else:
            self._tail.append(event)
        self._held += _size(event.text)
        while self._held > self._most:
            self._shorten(self._held - self._most)

    def _shorten(self, excess: int) -> None:
        first = self._tail.popleft()
        size = _size(first.text)
        if size > excess:
            kept = first.text.encode("utf-8", "surrogateescape")[excess:].decode("utf-8", "ignore")
            self._tail.appendleft(Streamed(first.stream, kept))
            size -= _size(kept)
        self._held -= size
        self.dropped += size


_SHORT = 4096


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _cut(text: str, size: int) -> tuple[str, str]:
    """*text* parted where its first part has at most *size* bytes of UTF-8."""
    first = text.encode("utf-8", "surrogateescape")[:size].decode("utf-8", "ignore")
    return first, text[len(first) :]
