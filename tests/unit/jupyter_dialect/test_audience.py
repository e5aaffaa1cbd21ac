from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from sandlot.contracts.errors import Conflict
from sandlot.jupyter.message import Message
from sandlot.server.dialects.jupyter import audience
from sandlot.server.dialects.jupyter.audience import Audience, Listener


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 5))


def said(text: str) -> Message:
    return Message("iopub", {"msg_id": "1", "msg_type": "stream"}, content={"text": text})


def waiting(listener: Listener) -> list[str]:
    return [each.content["text"] for each in listener.waiting]


def test_everybody_hears_what_is_told_and_one_hears_an_answer() -> None:
    async def story() -> None:
        room = Audience()
        first, second = room.enter(""), room.enter("b")
        await room.tell(said("all"))
        assert not first.given_up.is_set()
        await room.answer(first, said("one"))
        assert (waiting(first), waiting(second)) == (["all", "one"], ["all"])

    run(story())


def test_a_session_that_comes_back_finds_what_it_missed() -> None:
    async def story() -> None:
        room = Audience()
        left = room.enter("a")
        await room.tell(said("not yet sent"))
        room.leave(left)
        await room.tell(said("told meanwhile"))
        await room.answer(left, said("reply"))
        back = room.enter("a")
        assert waiting(back) == ["not yet sent", "told meanwhile", "reply"]
        await room.answer(left, said("late"))
        assert waiting(back)[-1] == "late"
        assert waiting(room.enter("a")) == []

    run(story())


def test_nothing_is_kept_for_who_says_no_session_or_another() -> None:
    async def story() -> None:
        room = Audience()
        nameless = room.enter("")
        room.leave(nameless)
        await room.tell(said("lost"))
        await room.answer(nameless, said("lost"))
        assert waiting(room.enter("")) == []
        room.leave(room.enter("a"))
        await room.tell(said("of a"))
        assert waiting(room.enter("b")) == []

    run(story())


def test_the_sessions_that_left_last_are_kept_for() -> None:
    async def story() -> None:
        room = Audience()
        for name in "abcde":
            room.leave(room.enter(name))
        await room.tell(said("missed"))
        assert [waiting(room.enter(name)) for name in "abe"] == [[], ["missed"], ["missed"]]

    run(story())


def test_what_is_kept_is_bounded_and_the_newest() -> None:
    async def story() -> None:
        room = Audience()
        room.leave(room.enter("a"))
        for number in range(20):
            await room.tell(said(f"{number} " + "x" * 2**20))
        kept = waiting(room.enter("a"))
        assert len(kept) == audience.LARGEST_KEPT // 2**20 - 1
        assert kept[-1].startswith("19 ")

    run(story())


def test_a_slow_connection_holds_up_who_tells_until_it_reads() -> None:
    async def story() -> None:
        room = Audience()
        slow = room.enter("a")
        await room.tell(said("x" * audience.LARGEST_QUEUE))
        telling = asyncio.ensure_future(room.tell(said("next")))
        await asyncio.wait([telling], timeout=0)
        assert not telling.done()
        await slow.get()
        await telling
        room.finish("over")
        assert [message.content["text"] async for message in _rest(slow)] == ["next"]

    run(story())


async def _rest(listener: Listener) -> Any:
    while (message := await listener.get()) is not None:
        yield message


def test_a_connection_that_leaves_frees_who_waits_for_it() -> None:
    async def story() -> None:
        room = Audience()
        slow = room.enter("")
        await room.tell(said("x" * audience.LARGEST_QUEUE))
        telling = asyncio.ensure_future(room.tell(said("next")))
        await asyncio.wait([telling], timeout=0)
        room.leave(slow)
        await telling

    run(story())


def test_connections_are_counted_and_bounded() -> None:
    async def story() -> None:
        room = Audience()
        for number in range(audience.MOST_LISTENERS):
            room.enter(str(number))
        assert room.count == audience.MOST_LISTENERS
        with pytest.raises(Conflict):
            room.enter("more")

    run(story())
