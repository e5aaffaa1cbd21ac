"""Whatever an agent does that is against the protocol ends its box, and the caller is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import PurePosixPath

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.errors import BoxDied
from sandlot.contracts.events import Event, Exited, Reason, Started, Stdout
from sandlot.link.calls import Patience
from sandlot.link.connection import Connection
from sandlot.wire.frames import INITIAL_CREDIT, Frame, Kind, encode
from tests.unit.link.fake_agent import FakeAgent, Stage, stage

COMMAND = Command(argv=("true",))


async def _all(on: Stage) -> list[Event]:
    return [event async for event in on.box.run(COMMAND)]


def _misbehave(act: Callable[[FakeAgent], None]) -> tuple[Exited, int]:
    async def scene() -> tuple[Exited, int]:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on))
            await on.agent.frame(Kind.OPEN)
            act(on.agent)
            events = await running
            end = events[-1]
            assert isinstance(end, Exited)
            return end, on.life.kills

    return asyncio.run(scene())


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda agent: agent.raw(b"\xff\xff\xff\xff\x07\0\0\0\1"), id="oversize"),
        pytest.param(lambda agent: agent.raw(b"\0\0\0\1\x02\0\0\0\1x"), id="kind of the host"),
        pytest.param(lambda agent: agent.raw(b"\0\0\0\1\x63\0\0\0\1x"), id="unknown kind"),
        pytest.param(lambda agent: agent.send(Kind.OUTPUT, 3, b"x"), id="stream never opened"),
        pytest.param(lambda agent: agent.send(Kind.OUTPUT, 2, b"x"), id="even stream"),
        pytest.param(lambda agent: agent.raw(encode(Frame(Kind.EVENT, 1, b"[]"))), id="no object"),
        pytest.param(lambda agent: agent.raw(encode(Frame(Kind.DONE, 1, b"\xff"))), id="no JSON"),
        pytest.param(lambda agent: agent.raw(encode(Frame(Kind.DONE, 1, b'{"a":' * 99))), id="deep"),
        pytest.param(lambda agent: agent.raw(encode(Frame(Kind.CREDIT, 1, b"\0\0\0\0"))), id="no credit"),
        pytest.param(lambda agent: agent.raw(encode(Frame(Kind.CREDIT, 1, b"\0\0\1\0"))), id="unspent"),
        pytest.param(lambda agent: agent.send(Kind.HELLO, 0, {}), id="second HELLO"),
        pytest.param(lambda agent: agent.done(1, reason="out_of_memory"), id="what only the host knows"),
        pytest.param(lambda agent: agent.done(1, reason="bored"), id="unknown reason"),
        pytest.param(lambda agent: agent.done(1, exit_code=None), id="exited without code"),
        pytest.param(lambda agent: agent.done(1, exit_code=256), id="code out of range"),
        pytest.param(lambda agent: agent.done(1, reason="signalled", signal=None), id="no signal"),
        pytest.param(lambda agent: agent.done(1, memory_peak=-1), id="negative memory"),
        pytest.param(lambda agent: agent.done(1, duration=True), id="true seconds"),
        pytest.param(lambda agent: agent.done(1, truncated={}), id="missing field"),
        pytest.param(lambda agent: agent.send(Kind.DONE, 1, {}), id="empty DONE"),
        pytest.param(lambda agent: agent.refuse(1, "tired"), id="unknown error"),
        pytest.param(lambda agent: agent.send(Kind.EVENT, 1, {"event": "started"}), id="nameless"),
    ],
)
def test_a_breach_of_the_protocol_kills_the_box(act: Callable[[FakeAgent], None]) -> None:
    end, kills = _misbehave(act)
    assert (end.reason, end.exit_code, end.who) == (Reason.BOX_DIED, 125, "agent")
    assert kills == 1


def test_a_hang_up_in_the_middle_tells_which_part_died() -> None:
    async def scene() -> Event:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            on.agent.raw(encode(Frame(Kind.OUTPUT, 1, b"half"))[:-2])
            on.life.die("launcher")
            return (await running)[-1]

    end = asyncio.run(scene())
    assert isinstance(end, Exited)
    assert (end.reason, end.who) == (Reason.BOX_DIED, "launcher")


def test_an_agent_that_sends_more_than_its_credit_is_killed() -> None:
    async def scene() -> int:
        async with stage() as on:
            on.box._calls.connection.open({"verb": "read"})  # and nobody reads
            for _ in range(INITIAL_CREDIT // 65536 + 1):
                on.agent.send(Kind.OUTPUT, 1, bytes(65536))
            await on.life.ended()
            return on.life.kills

    assert asyncio.run(scene()) == 1


def test_an_agent_that_hangs_up_but_lives_is_killed() -> None:
    async def scene() -> tuple[list[Event], int]:
        async with stage(patience=Patience(death=0.05)) as on:
            running = asyncio.ensure_future(_all(on))
            await on.agent.frame(Kind.OPEN)
            on.agent.hang_up()
            return await running, on.life.kills

    events, kills = asyncio.run(scene())
    assert isinstance(events[-1], Exited)
    assert kills == 1


def test_done_twice_and_what_follows_it_are_ignored() -> None:
    async def scene() -> list[Event]:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            on.agent.done(1)
            on.agent.done(1, exit_code=7)
            on.agent.send(Kind.OUTPUT, 1, b"late")
            first = await running
            again = asyncio.ensure_future(_all(on))
            await on.agent.frame(Kind.OPEN)
            on.agent.done(3, exit_code=3)
            return [*first, *(await again)]

    events = asyncio.run(scene())
    assert [event for event in events if isinstance(event, Stdout)] == []
    assert [event.exit_code for event in events if isinstance(event, Exited)] == [0, 3]


def test_empty_output_frames_do_not_pile_up() -> None:
    async def scene() -> int:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on))
            await on.agent.frame(Kind.OPEN)
            on.agent.raw(encode(Frame(Kind.OUTPUT, 1)) * 50_000)
            on.agent.started(1)
            on.agent.done(1)
            return len(await running)

    assert asyncio.run(scene()) == 2


def test_a_flood_of_events_makes_the_agent_wait_instead_of_filling_memory() -> None:
    async def scene() -> int:
        async with stage() as on:
            request = on.box._calls.connection.open({"verb": "watch"})
            for number in range(20_000):
                on.agent.send(
                    Kind.EVENT, request.number, {"change": {"path": f"/{number}", "kind": "created"}}
                )
            for _ in range(200):
                await asyncio.sleep(0)
            held = request._events
            while (await request.receive()).value.get("change", {}).get("path") != "/19999":
                pass
            return held

    assert 0 < asyncio.run(scene()) < 10_000


def test_output_before_the_start_is_told_after_it() -> None:
    async def scene() -> list[Event]:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on))
            await on.agent.frame(Kind.OPEN)
            on.agent.send(Kind.OUTPUT, 1, b"echo")
            on.agent.started(1)
            on.agent.done(1)
            return await running

    assert asyncio.run(scene())[:2] == [Started("p1"), Stdout(b"echo")]


def test_a_dead_box_answers_every_request_with_box_died() -> None:
    async def scene() -> tuple[Event, str]:
        async with stage() as on:
            on.life.die("keeper")
            end = (await _all(on))[-1]
            with pytest.raises(BoxDied) as died:
                await on.box.stat(PurePosixPath("/workspace/x"))
            return end, died.value.who

    end, who = asyncio.run(scene())
    assert isinstance(end, Exited)
    assert (end.who, who) == ("keeper", "keeper")


def test_closing_a_connection_twice_is_no_error() -> None:
    async def scene() -> None:
        async with stage() as on:
            await asyncio.gather(on.box.close(), on.box.close())
            assert isinstance(on.box._calls.connection, Connection)

    asyncio.run(scene())
