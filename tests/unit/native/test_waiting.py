from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request

from sandlot.contracts.cells import Begun, CellEvent
from sandlot.contracts.errors import Conflict, QuotaDenied
from sandlot.contracts.events import Event, Exited, Reason, Started
from sandlot.server.dialects.native import streams
from sandlot.server.dialects.native.feed import MOST_GIVERS, Feed
from sandlot.server.dialects.native.manners import CELLS, COMMANDS
from sandlot.server.dialects.native.runs import Run
from sandlot.wire.events import NDJSON


def test_a_command_that_waits_long_for_its_turn_is_no_orphan() -> None:
    async def play() -> Event:
        turn = asyncio.Event()

        async def source() -> AsyncIterator[Event]:
            await turn.wait()
            yield Started("p1")
            yield Exited(Reason.EXITED, 0)

        run = Run(source(), COMMANDS, orphan_seconds=0.0)
        for _ in range(10):  # of the loop: a timer that ran would have fired
            await asyncio.sleep(0)
        turn.set()
        return await run.first()

    assert asyncio.run(play()) == Started("p1")


def test_only_so_many_wait_to_give_a_program_its_input() -> None:
    async def piece() -> AsyncIterator[bytes]:
        yield b"x"

    async def play() -> None:
        feed = Feed()
        waiting = [asyncio.ensure_future(feed.give(piece(), end=False)) for _ in range(MOST_GIVERS)]
        await asyncio.sleep(0)
        with pytest.raises(QuotaDenied):
            await feed.give(piece(), end=False)
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
        feed.close()
        await asyncio.gather(*waiting[1:])
        await feed.give(piece(), end=True)

    asyncio.run(play())


def test_a_cell_that_waits_for_its_turn_begins_its_stream_and_a_refusal_is_told_in_it() -> None:
    async def play() -> None:
        turn = asyncio.Event()

        async def source() -> AsyncIterator[CellEvent]:
            await turn.wait()
            if turn.is_set():
                raise Conflict("the context was closed")
            yield Begun(1)

        run = Run(source(), CELLS)
        request = Request({"type": "http", "headers": [], "state": {}})
        await streams.begun(request, run, patience=0.01)
        stream = streams.EventBytes(run, NDJSON)
        turn.set()
        assert json.loads(await anext(stream)) == {
            "id": 1, "event": "failed", "code": "conflict", "message": "the context was closed",
        }  # fmt: skip
        with pytest.raises(Conflict, match="was closed"):
            await streams.begun(request, run, patience=0.01)

    asyncio.run(play())
