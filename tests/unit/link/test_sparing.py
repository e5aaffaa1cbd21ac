"""What a command costs besides itself: one write, and one question about what it used."""

from __future__ import annotations

import asyncio

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.events import Event
from sandlot.link.life import Usage
from sandlot.wire.frames import Kind
from tests.unit.link.fake_agent import Stage, stage


async def _all(on: Stage, command: Command) -> list[Event]:
    return [event async for event in on.box.run(command)]


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        (Command(argv=("true",)), [Kind.OPEN, Kind.INPUT_END]),
        (
            Command(code="1", stdin=b"in"),
            [Kind.OPEN, Kind.SOURCE, Kind.SOURCE_END, Kind.INPUT, Kind.INPUT_END],
        ),
    ],
)
def test_a_short_command_is_sent_whole_in_one_write(command: Command, kinds: list[int]) -> None:
    async def scene() -> list[int]:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on, command))
            await asyncio.sleep(0)  # nothing of it waits for another turn
            running.cancel()
            return [(await on.agent.frame()).kind for _ in kinds]

    assert asyncio.run(scene()) == kinds


def test_what_a_box_has_used_is_asked_once_a_command_while_nothing_else_goes_on() -> None:
    async def scene() -> list[int]:
        async with stage(unused=Usage()) as on:
            asked = [0]
            for number in (1, 3, 5):
                running = asyncio.ensure_future(_all(on, Command(argv=("true",))))
                await on.agent.frame(Kind.INPUT_END)
                on.agent.started(number)
                on.agent.done(number)
                await running
                asked.append(on.life.asked)
            return asked

    assert asyncio.run(scene()) == [0, 1, 2, 3]
