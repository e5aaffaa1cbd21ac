"""An answer that is read whole, up to a bound."""

from __future__ import annotations

from sandlot.contracts.errors import OutputTooLarge
from sandlot.wire.flows.exchange import Answer
from sandlot.wire.http import Head

MOST = 256 * 2**20
"""Bytes: the names of the largest directory that a box may list come to less."""


class Whole:
    """Collects the body behind *head*."""

    def __init__(self, head: Head) -> None:
        """Begin with an empty body."""
        self._head, self._body = head, bytearray()

    def add(self, data: bytes) -> None:
        """Keep *data*. Raises OutputTooLarge beyond MOST bytes."""
        self._body += data
        if len(self._body) > MOST:
            raise OutputTooLarge(f"the server's answer is longer than {MOST} bytes: take less at once")

    def answer(self) -> Answer:
        """All of it."""
        return Answer(self._head, bytes(self._body))
