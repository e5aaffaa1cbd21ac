from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sandlot.contracts.events import Event, Exited, Reason, Started
from sandlot.server.dialects.native.feed import Feed
from sandlot.server.dialects.native.manners import COMMANDS
from sandlot.server.dialects.native.runs import Run
from tests.unit.native.test_runs import everything, play, turns


def test_input_is_handed_over_piece_by_piece_in_the_order_of_the_givers() -> None:
    async def pieces(*data: bytes) -> AsyncIterator[bytes]:
        for each in data:
            yield each

    async def scene() -> None:
        feed = Feed()
        first = asyncio.ensure_future(feed.give(pieces(b"a", b"", b"b"), end=False))
        second = asyncio.ensure_future(feed.give(pieces(b"c"), end=True))
        await turns()
        assert not first.done()
        assert [piece async for piece in feed.pieces()] == [b"a", b"b", b"c"]
        await asyncio.gather(first, second)

    play(scene)


def test_nobody_waits_for_a_program_that_has_ended() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x"

    async def told() -> AsyncIterator[Event]:
        yield Started("p")
        yield Exited(Reason.EXITED, 0)

    async def scene() -> None:
        feed = Feed()
        run = Run(told(), COMMANDS, feed=feed)
        giving = asyncio.ensure_future(feed.give(endless(), end=True))
        await everything(run)
        await giving

    play(scene)
