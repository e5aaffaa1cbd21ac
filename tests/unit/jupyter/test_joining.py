from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from sandlot.contracts.cells import Begun, CellEvent, CellStatus, Finished, Resulted, Streamed, StreamName
from sandlot.jupyter.joining import joined

OUT, ERR = StreamName.STDOUT, StreamName.STDERR


def out(text: str) -> Streamed:
    return Streamed(OUT, text)


async def whole(*events: CellEvent) -> list[CellEvent]:
    async def told() -> AsyncGenerator[CellEvent, None]:
        for event in events:
            yield event

    return [event async for event in joined(told())]


def test_text_of_one_stream_in_a_row_is_one_event() -> None:
    begun, result, end = Begun(1), Resulted({"text/plain": "1"}), Finished(CellStatus.OK)
    told = (begun, out("a"), out("\n"), Streamed(ERR, "b"), out("c"), result, out("d"), out("e"), end)
    expected = [begun, out("a\n"), Streamed(ERR, "b"), out("c"), result, out("de"), end]
    assert asyncio.run(whole(*told)) == expected


def test_what_is_joined_is_bounded() -> None:
    pieces = asyncio.run(whole(*[out("x" * 10_000)] * 100))
    sizes = [len(piece.text) for piece in pieces if isinstance(piece, Streamed)]
    assert sum(sizes) == 1_000_000
    assert max(sizes) < 80_000


def test_text_does_not_wait_for_the_end_of_its_cell() -> None:
    async def story() -> None:
        goes_on = asyncio.Event()

        async def told() -> AsyncGenerator[CellEvent, None]:
            yield out("first")
            await goes_on.wait()
            yield out("second")

        events = joined(told())
        assert await anext(events) == out("first")
        goes_on.set()
        assert await anext(events) == out("second")
        assert await anext(events, None) is None

    asyncio.run(asyncio.wait_for(story(), 5))


def test_leaving_early_ends_what_is_joined() -> None:
    async def story() -> None:
        ended = asyncio.Event()

        async def told() -> AsyncGenerator[CellEvent, None]:
            try:
                yield out("first")
                await asyncio.Event().wait()
            finally:
                ended.set()

        events = joined(told())
        await anext(events)
        await events.aclose()
        assert ended.is_set()

    asyncio.run(asyncio.wait_for(story(), 5))
