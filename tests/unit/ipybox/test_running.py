from __future__ import annotations

import asyncio

import pytest

from sandlot.compat.ipybox.errors import ConnectionError as KernelLost
from sandlot.compat.ipybox.messages import Picture, Replied, State, Text
from sandlot.compat.ipybox.running import Output, Running


async def _nothing() -> None:
    """Interrupts what heeds no interrupt."""


async def told(running: Running) -> list[Output]:
    return [output async for output in running.outputs(5)]


def test_what_a_request_brings_forth_is_bounded() -> None:
    running = Running("r", _nothing, largest=5)
    running.hear(Text("abc"))
    running.hear(Picture("image/png", "AA"))
    with pytest.raises(ValueError, match="files instead"):
        running.hear(Text("d"))


def test_what_was_said_before_the_end_is_told_before_the_error() -> None:
    async def scene() -> None:
        running = Running("r", _nothing)
        running.hear(Text("abc"))
        running.lose("it broke")
        outputs = running.outputs(None)
        assert await anext(outputs) == Text("abc")
        with pytest.raises(KernelLost, match="it broke"):
            await anext(outputs)

    asyncio.run(scene())


def test_what_is_over_is_neither_cancelled_nor_stopped() -> None:
    async def scene() -> None:
        running = Running("r", _nothing)
        for said in (Text("x"), State("busy"), State("idle"), Replied()):
            running.hear(said)
        running.cancel()
        await running.stop()
        assert (running.is_over, running.was_cancelled) == (True, False)
        assert await told(running) == [Text("x")]

    asyncio.run(scene())
