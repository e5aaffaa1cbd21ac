"""The end of a box as it is told: whoever brought it about, truthfully, and the same every time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.events import Event, Exited, Reason
from sandlot.contracts.lease import Ending, EndReason
from sandlot.link.agentbox import ending_of
from sandlot.link.life import Death, Usage, Who
from sandlot.wire.frames import Kind
from tests.unit.link.fake_agent import stage


@pytest.mark.parametrize(
    ("who", "mistrust", "is_out_of_memory", "reason"),
    [
        ("host", None, False, EndReason.KILLED),
        ("host", None, True, EndReason.KILLED),
        ("host", "it broke the protocol", True, EndReason.KILLED),
        ("agent", "its link broke and it lived on", False, EndReason.KILLED),
        ("agent", None, False, EndReason.BOX_DIED),
        ("agent", None, True, EndReason.OUT_OF_MEMORY),
        ("launcher", None, True, EndReason.OUT_OF_MEMORY),
        ("keeper", None, False, EndReason.BOX_DIED),
        ("keeper", None, True, EndReason.BOX_DIED),
    ],
)
def test_the_reason_is_what_happened(
    who: Who, mistrust: str | None, is_out_of_memory: bool, reason: EndReason
) -> None:
    told = ending_of(Death(who, "it went"), mistrust, 5.0, is_out_of_memory=is_out_of_memory)
    detail = f"agent: {mistrust}" if mistrust else f"{who}: it went"
    assert told == Ending(reason, 5.0, detail)


def test_everybody_who_waits_is_told_the_same_and_so_is_who_comes_later() -> None:
    async def scene() -> list[Ending]:
        async with stage() as on:
            early = [asyncio.ensure_future(on.box.ended()) for _ in range(2)]
            impatient = asyncio.ensure_future(on.box.ended())
            await asyncio.sleep(0)
            impatient.cancel()
            await on.box.close()
            return [*await asyncio.gather(*early), await on.box.ended()]

    first, *others = asyncio.run(scene())
    assert first.reason is EndReason.KILLED
    assert set(others) == {first}


def test_an_agent_that_breaks_the_protocol_is_named_as_the_cause() -> None:
    async def scene() -> Ending:
        async with stage() as on:
            on.agent.send(Kind.OUTPUT, 99, b"never asked")
            return await on.box.ended()

    told = asyncio.run(scene())
    assert told.reason is EndReason.KILLED
    assert "99" in told.detail


def test_a_box_that_ran_out_of_memory_under_a_command_says_so_twice() -> None:
    async def scene() -> tuple[object, Ending]:
        async with stage() as on:
            running = asyncio.ensure_future(_last(on.box.run(Command(argv=("true",)))))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            on.life.die(usage=Usage(oom_kills=1))
            return await running, await on.box.ended()

    end, told = asyncio.run(scene())
    assert isinstance(end, Exited)
    assert (end.reason, told.reason) == (Reason.OUT_OF_MEMORY, EndReason.OUT_OF_MEMORY)


def test_memory_a_program_ran_out_of_is_not_the_end_of_the_box_that_lived_on() -> None:
    async def scene() -> tuple[object, Ending]:
        async with stage() as on:
            running = asyncio.ensure_future(_last(on.box.run(Command(argv=("true",)))))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            on.life.used = Usage(oom_kills=1)
            on.agent.done(1, exit_code=1)
            end = await running
            on.life.die()
            return end, await on.box.ended()

    end, told = asyncio.run(scene())
    assert isinstance(end, Exited)
    assert (end.reason, told.reason) == (Reason.OUT_OF_MEMORY, EndReason.BOX_DIED)


async def _last(events: AsyncIterator[Event]) -> Event | None:
    last = None
    async for event in events:
        last = event
    return last
