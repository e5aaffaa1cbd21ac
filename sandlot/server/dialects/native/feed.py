"""A command's standard input, as it arrives by requests of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

from sandlot.contracts.errors import QuotaDenied

MOST_GIVERS = 8
"""Requests that may wait at once for one program to take their input."""


class Feed:
    """Bytes handed from requests to a program, one piece at a time: who gives waits until it is taken."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._turn = asyncio.Lock()
        self._arrived, self._taken = asyncio.Event(), asyncio.Event()
        self._piece = b""
        self._is_complete = False
        self._is_closed = False
        self._givers = 0

    async def give(self, pieces: AsyncIterable[bytes], *, end: bool) -> None:
        """Pass *pieces* on, after those of earlier calls; *end* says that nothing follows.

        Returns when all was taken. What comes after the program's end is dropped. Raises QuotaDenied when
        MOST_GIVERS wait already.
        """
        if self._givers >= MOST_GIVERS:
            raise QuotaDenied(f"{self._givers} inputs wait for this program to read: send them one by one")
        self._givers += 1
        try:
            async with self._turn:
                await self._pass_on(pieces, end=end)
        finally:
            self._givers -= 1

    def close(self) -> None:
        """The program has ended: nobody waits for it any more."""
        self._is_closed = True
        self._taken.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """What was given, for Command.stdin. A piece counts as taken when the next one is asked for."""
        while True:
            while not self._piece and not self._is_complete:
                self._arrived.clear()
                await self._arrived.wait()
            if not self._piece:
                return
            yield self._piece
            self._piece = b""
            self._taken.set()

    async def _pass_on(self, pieces: AsyncIterable[bytes], *, end: bool) -> None:
        async for piece in pieces:
            await self._hand_over(piece)
        if end:
            self._is_complete = True
            self._arrived.set()

    async def _hand_over(self, piece: bytes) -> None:
        await self._emptied()  # of what a giver left who did not wait
        if piece and not self._is_closed and not self._is_complete:
            self._piece = piece
            self._arrived.set()
            await self._emptied()

    async def _emptied(self) -> None:
        while self._piece and not self._is_closed:
            self._taken.clear()
            await self._taken.wait()
