"""What a reader of a cell gets: bounded text, in order, and no more waiting than there must be."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.cells import CellEvent, CellStatus, Displayed, Finished, Streamed, StreamName
from sandlot.link.budget import Budget
from sandlot.link.cell_feed import CellFeed

OUT = StreamName.STDOUT


def _told(limit: int, texts: list[str]) -> tuple[str, int]:
    budget = Budget(limit)
    now = [budget.take(Streamed(OUT, text)) for text in texts]
    later = budget.rest()
    return "".join(each.text for each in (*now, *later) if each is not None), budget.dropped


@given(st.lists(st.text(max_size=20)), st.integers(0, 400))
def test_text_is_whole_or_keeps_both_ends(texts: list[str], limit: int) -> None:
    whole = "".join(texts)
    told, dropped = _told(limit, texts)
    if not dropped:
        assert told == whole
        return
    head, _, tail = told.partition(f"\n[... {dropped} bytes of output were left out ...]\n")
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert len((head + tail).encode()) <= limit
    assert len((head + tail).encode()) + dropped == len(whole.encode())


def test_text_beyond_the_limit_leaves_a_note_between_its_ends() -> None:
    told, dropped = _told(10, ["0123456789" * 10])
    assert dropped == 90
    assert told == "01234\n[... 90 bytes of output were left out ...]\n56789"


def _run(limit: int, put: list[CellEvent]) -> list[CellEvent]:
    async def work() -> list[CellEvent]:
        feed = CellFeed(limit)
        feed.hurry()
        for event in put:
            await feed.put(event)
        await feed.rest()
        feed.finish(Finished(CellStatus.OK))
        await feed.put(Streamed(OUT, "too late"))
        found: list[CellEvent] = []
        while not found or not isinstance(found[-1], Finished):
            told = await feed.get()
            assert told is not None
            found.append(told)
        return found

    return asyncio.run(work())


def test_text_that_waits_is_joined_but_for_what_stands_between() -> None:
    shown = Displayed({"text/plain": "x"})
    events: list[CellEvent] = [Streamed(OUT, "a"), Streamed(OUT, "b"), shown, Streamed(OUT, "c")]
    assert _run(100, events) == [
        Streamed(OUT, "ab"), shown, Streamed(OUT, "c"), Finished(CellStatus.OK),
    ]  # fmt: skip


def test_a_slow_reader_slows_the_writer_until_it_hurries() -> None:
    async def work() -> None:
        feed = CellFeed(2**20)
        events = [Streamed(list(StreamName)[number % 2], "x") for number in range(2000)]

        async def write() -> None:
            for event in events:
                await feed.put(event)

        writer = asyncio.ensure_future(write())
        for number in range(1000):
            assert await feed.get() == events[number]
        assert not writer.done()
        feed.hurry()
        await writer

    asyncio.run(work())


def test_what_is_large_waits_for_its_reader_too() -> None:
    async def work() -> None:
        feed, large = CellFeed(2**20), Displayed({"text/plain": "x" * 2**19})

        async def write() -> None:
            for _ in range(5):
                await feed.put(large)

        writer = asyncio.ensure_future(write())
        for left in (True, True, True, False):
            await asyncio.sleep(0)
            assert writer.done() is not left
            assert await feed.get() == large
            await asyncio.sleep(0)

    asyncio.run(work())


def test_a_feed_that_was_closed_tells_what_waits_and_then_that_it_is_over() -> None:
    async def work() -> list[CellEvent | None]:
        feed = CellFeed(10)
        await feed.put(Streamed(OUT, "0123456789" * 10))
        feed.close()
        await feed.put(Streamed(OUT, "too late"))
        found = [await feed.get(), await feed.get()]
        await feed.rest()
        feed.finish(Finished(CellStatus.OK))
        return [*found, await feed.get(), await feed.get()]

    note = "\n[... 90 bytes of output were left out ...]\n56789"
    assert asyncio.run(work()) == [Streamed(OUT, "01234"), None, Streamed(OUT, note), Finished(CellStatus.OK)]
