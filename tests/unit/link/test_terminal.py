from __future__ import annotations

import asyncio

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.events import Event, Started, Stdout
from sandlot.wire.frames import Kind, parse_json
from tests.unit.link.fake_agent import stage


def test_a_terminal_can_be_typed_to_resized_and_hung_up() -> None:
    async def scene() -> tuple[list[Event], list[int]]:
        async with stage() as on:
            opening = asyncio.ensure_future(on.box.open(Command(argv=("sh",), tty=TerminalSize(10, 20))))
            assert parse_json((await on.agent.frame(Kind.OPEN)).payload)["tty"] == {"rows": 10, "columns": 20}
            terminal = await opening
            await terminal.type(b"ls\r")
            await terminal.resize(TerminalSize(30, 90))
            kinds = [(await on.agent.frame()).kind, (await on.agent.frame()).kind]
            on.agent.started(1)
            on.agent.send(Kind.OUTPUT, 1, b"file\r\n")
            on.agent.done(1)
            events = [event async for event in terminal.events()]
            await terminal.type(b"nobody is there any more")
            await terminal.close()
            await terminal.close()
            return events, kinds

    events, kinds = asyncio.run(scene())
    assert kinds == [Kind.INPUT, Kind.RESIZE]
    assert events[:2] == [Started("p1"), Stdout(b"file\r\n")]


def test_hanging_up_a_terminal_cancels_its_program() -> None:
    async def scene() -> int:
        async with stage() as on:
            opening = asyncio.ensure_future(on.box.open(Command(argv=("sh",))))
            await on.agent.frame(Kind.OPEN)
            terminal = await opening
            closing = asyncio.ensure_future(terminal.close())
            await on.agent.frame(Kind.CANCEL)
            on.agent.done(1, reason="killed", exit_code=None, signal=9)
            await closing
            return on.life.kills

    assert asyncio.run(scene()) == 0
