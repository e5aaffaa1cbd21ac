"""What one connection may have under way: its cells in their order, and its lines within their bounds."""

from __future__ import annotations

import asyncio

import pytest

from sandlot.contracts.cells import Begun, Cell, CellStatus, Finished, InputAsked, Streamed, StreamName
from sandlot.contracts.errors import Conflict, StartFailed
from sandlot.server.dialects.native.cell_lines import MOST_UNSENT, Lines
from sandlot.server.dialects.native.cells_ahead import LARGEST_AHEAD, MOST_AHEAD, Ahead, Asked


def test_cells_have_their_turn_in_order_but_for_those_that_were_dropped() -> None:
    async def play() -> None:
        ahead, cells = Ahead(), [Asked(name) for name in "abc"]
        for each in cells:
            ahead.add(each)
        assert await ahead.begin() is ahead.running is cells[0]
        assert [ahead.found(name) for name in "abcd"] == [*cells, None]
        ahead.drop(cells[1])
        ahead.end()
        assert ahead.found("a") is ahead.found("b") is None
        assert await ahead.begin() is cells[2]

    asyncio.run(play())


def test_so_many_cells_wait_and_so_much_code() -> None:
    async def play() -> None:
        many, large = Ahead(), Ahead()
        for number in range(MOST_AHEAD):
            many.add(Asked(str(number)))
        with pytest.raises(Conflict, match=f"{MOST_AHEAD} cells"):
            many.add(Asked("more"))
        await many.begin()
        many.add(Asked("more"))
        large.add(Asked("alone", Cell("x" * (LARGEST_AHEAD + 1))))
        with pytest.raises(Conflict, match="characters"):
            large.add(Asked("more"))
        await large.begin()
        large.add(Asked("more"))

    asyncio.run(play())


def test_one_that_is_to_be_emptied_takes_no_more_and_ends_with_its_last_cell() -> None:
    async def play() -> None:
        ahead, first, second = Ahead(), Asked("a"), Asked("b")
        ahead.add(first)
        ahead.add(second)
        await ahead.begin()
        emptied = asyncio.ensure_future(ahead.emptied())
        await asyncio.sleep(0)
        with pytest.raises(StartFailed, match="stopping"):
            ahead.add(Asked("c"))
        ahead.drop(second)
        await asyncio.sleep(0)
        assert not emptied.done()
        ahead.end()
        await emptied

    asyncio.run(play())


def test_a_cell_asks_until_it_is_answered_or_over() -> None:
    asked = Asked("a")
    asked.note(Begun(1))
    asked.note(InputAsked())
    asked.note(Streamed(StreamName.STDOUT, "of a thread"))
    assert (asked.has_begun, asked.is_asking, asked.is_over) == (True, True, False)
    asked.note(Finished(CellStatus.OK))
    assert (asked.is_asking, asked.is_over) == (False, True)


def test_lines_that_wait_go_together_and_none_is_lost_at_the_end() -> None:
    async def play() -> list[str]:
        lines, told = Lines(), []
        for text in (b"a\n", b"b\n", b"x" * 2**16, b"c\n"):
            await lines.add(text)
        lines.finish()
        while (message := await lines.taken()) is not None:
            told.append(message)
        return told

    assert asyncio.run(play()) == ["a\nb\n", "x" * 2**16, "c\n"]


def test_whoever_adds_waits_while_a_client_does_not_read() -> None:
    async def play() -> None:
        lines = Lines()
        await lines.add(b"x" * MOST_UNSENT)
        more = asyncio.ensure_future(lines.add(b"y"))
        await asyncio.sleep(0)
        assert not more.done()
        assert await lines.taken() == "x" * MOST_UNSENT
        await more
        assert await lines.taken() == "y"

    asyncio.run(play())


def test_a_line_that_need_not_hurry_goes_with_the_next_and_alone_after_a_moment() -> None:
    async def play() -> tuple[str | None, str | None, float]:
        lines, loop = Lines(), asyncio.get_running_loop()
        lines.add_soon(b"a\n")
        taking = asyncio.ensure_future(lines.taken())
        await asyncio.sleep(0)
        assert not taking.done()
        await lines.add(b"b\n")
        together, begun = await taking, loop.time()
        lines.add_soon(b"c\n")
        alone = await lines.taken()
        lines.add_soon(b"d\n")
        lines.finish()
        assert (await lines.taken(), await lines.taken()) == ("d\n", None)
        return together, alone, loop.time() - begun

    together, alone, seconds = asyncio.run(play())
    assert (together, alone) == ("a\nb\n", "c\n")
    assert seconds < 1
