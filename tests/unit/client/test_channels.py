"""Cells of a client share the WebSockets of their contexts, one cell at a time on each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import aclosing, closing, contextmanager
from typing import Any

from sandlot.client import AsyncClient, Client
from sandlot.client.kept import MOST_KEPT, Kept, Place
from sandlot.contracts.cells import Cell, Finished, Streamed
from sandlot.contracts.contexts import ContextSpec
from sandlot.contracts.spec import SandboxSpec
from sandlot.transport import aio, sync
from sandlot.transport.base import AsyncTransport, AsyncWebSocket, SyncTransport, SyncWebSocket
from sandlot.wire.http import Request

CELL = Cell("print(1)")


class Counted:
    """A transport that keeps the WebSockets that are opened on it."""

    def __init__(self, held: SyncTransport) -> None:
        self.opened: list[SyncWebSocket] = []
        self.open, self.close = held.open, held.close
        self._held = held

    def websocket(self, request: Request, protocols: Sequence[str] = (), **how: int) -> SyncWebSocket:
        self.opened.append(self._held.websocket(request, protocols, **how))
        return self.opened[-1]


class AsyncCounted:
    """The same for tasks."""

    def __init__(self, held: AsyncTransport) -> None:
        self.opened: list[AsyncWebSocket] = []
        self.open, self.close = held.open, held.close
        self._held = held

    async def websocket(self, request: Request, protocols: Sequence[str] = (), **how: int) -> AsyncWebSocket:
        self.opened.append(await self._held.websocket(request, protocols, **how))
        return self.opened[-1]


@contextmanager
def opened(url: str, name: str) -> Iterator[tuple[Counted, Any]]:
    """A transport, and a sandbox by it."""
    counted = Counted(sync.connect(url))
    with closing(Client(transport=counted)) as client:
        client.ensure(name, SandboxSpec())
        yield counted, client.reach(name)
        client.delete(name)


def test_cells_one_after_the_other_have_one_connection(url: str) -> None:
    with opened(url, "one") as (counted, box):
        mine = box.open_context(ContextSpec())
        for _ in range(3):
            assert isinstance(list(mine.run(CELL))[-1], Finished)
        assert [len(list(box.default_context().run(CELL))) > 2 for _ in range(2)] == [True, True]
        assert len(counted.opened) == 2
        assert [each.stands() for each in counted.opened] == [True, True]
        mine.close()
        assert [each.stands() for each in counted.opened] == [False, True]
    assert not counted.opened[1].stands()


def test_cells_at_once_have_a_connection_each_and_keep_both(url: str) -> None:
    with opened(url, "two") as (counted, box):
        mine, ended = box.open_context(ContextSpec()), []
        waits = mine.run(Cell("input()", allow_input=True))
        next(waits)
        behind = threading.Thread(target=lambda: ended.extend(mine.run(CELL)))
        behind.start()
        next(waits)  # it asks
        mine.answer("")
        assert isinstance(list(waits)[-1], Finished)
        behind.join(10)
        assert isinstance(ended[-1], Finished)
        assert [each.stands() for each in counted.opened] == [True, True]


def test_who_leaves_a_cell_early_ends_its_connection_and_that_alone(url: str) -> None:
    with opened(url, "early") as (counted, box):
        mine = box.open_context(ContextSpec())
        with closing(mine.run(Cell("kept = 1; print(1)\nwhile True: pass", timeout=None))) as events:
            next(each for each in events if isinstance(each, Streamed))
        assert not counted.opened[0].stands()
        told = list(mine.run(Cell("print(kept)")))  # to its end, or this one would be left early, too
        assert any(getattr(each, "text", "") == "1\n" for each in told)
        assert [each.stands() for each in counted.opened] == [False, True]


def test_a_connection_that_was_ended_meanwhile_is_replaced(url: str) -> None:
    with opened(url, "replaced") as (counted, box):
        mine = box.open_context(ContextSpec())
        list(mine.run(CELL))
        counted.opened[0].send_text("no message")
        assert counted.opened[0].receive(10) is None
        assert isinstance(list(mine.run(CELL))[-1], Finished)
        assert len(counted.opened) == 2


def test_tasks_share_them_too(url: str) -> None:
    async def play() -> None:
        counted = AsyncCounted(aio.connect(url))
        client = AsyncClient(transport=counted)
        try:
            await client.ensure("tasks", SandboxSpec())
            mine = await (await client.reach("tasks")).open_context(ContextSpec())
            for _ in range(3):
                assert isinstance([each async for each in mine.run(CELL)][-1], Finished)
            assert len(counted.opened) == 1
            async with aclosing(mine.run(Cell("while True: pass", timeout=None))) as events:
                await anext(events)
            assert [each.stands() for each in counted.opened] == [False]
            assert isinstance([each async for each in mine.run(CELL)][-1], Finished)
            await client.delete("tasks")
        finally:
            await client.close()
        assert [each.stands() for each in counted.opened] == [False, False]

    asyncio.run(play())


def test_so_many_are_kept_and_the_oldest_goes() -> None:
    kept: Kept[int] = Kept()
    one, other = Place("a", "b"), Place("a", "c")
    assert [kept.keep(one, number) for number in range(MOST_KEPT)] == [None] * MOST_KEPT
    assert kept.keep(other, 99) == 0
    assert (kept.take(one), kept.take(other), kept.take(other)) == (MOST_KEPT - 1, 99, None)
    assert kept.keep(other, 99) is None
    assert kept.drop("a", "b") == list(range(1, MOST_KEPT - 1))
    assert (kept.drop("b"), kept.keep(other, 99), kept.drop("a")) == ([], None, [99, 99])
    assert kept.keep(other, 99) is None
    assert (kept.drop(), kept.drop()) == ([99], [])
