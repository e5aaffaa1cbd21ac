"""Many talks at once on one thread: an event loop of the bench's own, as thin as it can be."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from .benchmark import FAILURES
from .connection import TIMEOUT, Answer, Connection, Door, Line
from .talk import Talk

_BREATH = 0.1
"""Seconds after which the program's own event loop gets its turn: signals are heard there."""

Visit = tuple[float, Callable[[float], Talk[Any]]]
"""Seconds after the begin at which a talk is due, and what makes it, given that instant (perf_counter)."""
Heard = Callable[[int, Any], None]
"""Told of the end of each visit: its number, and its value or the exception that ended it."""


@dataclass(slots=True, eq=False)
class _Guest:
    """A talk under way on its connection."""

    number: int
    talk: Talk[Any]
    line: Line
    since: float


class Crowd:
    """Connections to one server, kept from one use to the next."""

    def __init__(self, door: Door, opened: Callable[[], Line] | None = None) -> None:
        """Connect to nothing yet; *opened* makes lines of another kind than connections to *door*."""
        self._opened = opened or partial(Connection, door)
        self._idle: list[Line] = []
        self._guests: set[_Guest] = set()
        self._selector = selectors.DefaultSelector()

    async def held(self, visits: Iterable[Visit], heard: Heard, *, most: int) -> None:
        """Have *visits*, in their order, when they are due, at most *most* of them at once.

        A visit that is due while *most* are under way waits for its turn; the instant it is given stays the
        one at which it was due, so that its waiting can be counted.
        """
        begun = time.perf_counter()
        coming = enumerate(visits)
        following = next(coming, None)
        breath = begun + _BREATH
        while following is not None or self._guests:
            following = self._admit(following, coming, begun, heard, most)
            for key, _ in self._selector.select(self._wait(following, begun, most)):
                self._listen(key.data, heard)
            if time.perf_counter() > breath:
                self._dismiss_the_late(heard)
                await asyncio.sleep(0)
                breath = time.perf_counter() + _BREATH

    def close(self) -> None:
        """Hang up everywhere."""
        for line in (*self._idle, *(guest.line for guest in self._guests)):
            line.close()
        self._selector.close()

    def _admit(
        self,
        following: tuple[int, Visit] | None,
        coming: Iterator[tuple[int, Visit]],
        begun: float,
        heard: Heard,
        most: int,
    ) -> tuple[int, Visit] | None:
        """Begin the visits that are due and have room; the first that must wait, None when all have come."""
        while following is not None and len(self._guests) < most:
            number, (offset, make) = following
            now = time.perf_counter()
            if begun + offset > now:
                break
            line = self._idle.pop() if self._idle else self._opened()
            guest = _Guest(number, make(begun + offset), line, now)
            self._step(guest, heard, None)
            following = next(coming, None)
        return following

    def _wait(self, following: tuple[int, Visit] | None, begun: float, most: int) -> float:
        """Seconds until something may have to be done, whoever says something meanwhile."""
        if following is None or len(self._guests) >= most:
            return _BREATH
        return min(_BREATH, max(0.0, begun + following[1][0] - time.perf_counter()))

    def _listen(self, guest: _Guest, heard: Heard) -> None:
        try:
            answer = guest.line.received()
        except OSError as error:
            self._forget(guest)
            guest.line.close()
            self._step(guest, heard, error)
            return
        if answer is not None:
            self._forget(guest)
            self._step(guest, heard, answer)

    def _step(self, guest: _Guest, heard: Heard, said: Answer | OSError | None) -> None:
        """Take *guest* to its next request, or to its end."""
        while True:
            try:
                request = guest.talk.throw(said) if isinstance(said, OSError) else _sent(guest.talk, said)
            except StopIteration as end:
                self._leave(guest, heard, end.value)
                return
            except FAILURES as failure:
                self._leave(guest, heard, failure)
                return
            try:
                guest.line.send(request)
            except OSError as error:
                guest.line.close()
                said = error
                continue
            guest.since = time.perf_counter()
            self._guests.add(guest)
            self._selector.register(guest.line, selectors.EVENT_READ, guest)
            return

    def _leave(self, guest: _Guest, heard: Heard, outcome: Any) -> None:
        self._idle.append(guest.line)
        heard(guest.number, outcome)

    def _forget(self, guest: _Guest) -> None:
        self._selector.unregister(guest.line)
        self._guests.discard(guest)

    def _dismiss_the_late(self, heard: Heard) -> None:
        now = time.perf_counter()
        for guest in [each for each in self._guests if now - each.since > TIMEOUT]:
            self._forget(guest)
            guest.line.close()
            self._step(guest, heard, TimeoutError(f"the server said nothing for {TIMEOUT:.0f} s"))


def _sent(talk: Talk[Any], answer: Answer | None) -> bytes:
    return next(talk) if answer is None else talk.send(answer)
