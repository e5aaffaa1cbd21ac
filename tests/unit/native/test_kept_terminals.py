from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sandlot.contracts.command import TerminalSize
from sandlot.contracts.errors import Conflict, NotFound
from sandlot.contracts.events import Event, Exited, Reason, Started, Stdout
from sandlot.server.dialects.native.kept_terminals import MOST_KEPT, KeptTerminal, KeptTerminals
from sandlot.server.dialects.native.registry import new_key

END = Exited(Reason.EXITED, 0)


class Written:
    """A terminal whose program writes pieces of so many bytes, and then waits or ends."""

    def __init__(self, *sizes: int, ends: bool = False) -> None:
        self._sizes, self._ends = sizes, ends
        self.written = 0
        self.all, self.closed = asyncio.Event(), asyncio.Event()

    async def events(self) -> AsyncIterator[Event]:
        yield Started("1")
        for size in self._sizes:
            yield Stdout(b"x" * size)
            self.written += size
            await asyncio.sleep(0)
        self.all.set()
        if not self._ends:
            await asyncio.Event().wait()
        yield END

    async def type(self, data: bytes) -> None:
        raise NotImplementedError(data)

    async def resize(self, size: TerminalSize) -> None:
        raise NotImplementedError(size)

    async def close(self) -> None:
        self.closed.set()


def played(story: Callable[[], Awaitable[None]]) -> None:
    async def work() -> None:
        async with asyncio.timeout(10):
            await story()

    asyncio.run(work())


def test_one_whose_client_does_not_come_back_is_closed() -> None:
    async def story() -> None:
        terminal = Written()
        kept = KeptTerminal(terminal, "name", orphan_seconds=0.01)
        await kept.leave(kept.attend(), comes_back=True)
        await terminal.closed.wait()
        who = kept.attend(0)
        assert isinstance(end := await kept.told(who), Exited)
        assert end.reason is Reason.KILLED

    played(story)


def test_one_without_a_name_ends_with_its_client() -> None:
    async def story() -> None:
        terminal = Written()
        kept = KeptTerminal(terminal)
        await kept.leave(kept.attend(), comes_back=True)
        assert terminal.closed.is_set()

    played(story)


def test_a_client_that_does_not_read_slows_the_program_and_one_that_is_gone_does_not() -> None:
    async def story() -> None:
        terminal = Written(*[MOST_KEPT // 4] * 12)
        kept = KeptTerminal(terminal, "name")
        who = kept.attend()
        assert await kept.told(who) == Started("1")
        for _ in range(50):
            await asyncio.sleep(0)
        assert terminal.written < MOST_KEPT
        await kept.leave(who, comes_back=True)
        await terminal.all.wait()
        assert kept.attend(0).missed == 2 * MOST_KEPT
        with pytest.raises(Conflict):
            kept.attend(3 * MOST_KEPT + 1)
        await kept.leave(kept.attend(0), comes_back=False)

    played(story)


def test_those_that_ended_are_remembered_up_to_a_number() -> None:
    async def story() -> None:
        kept, keys = KeptTerminals(most_remembered=1), [new_key("me", "box") for _ in range(3)]
        for key in keys:
            terminal = KeptTerminal(Written(ends=True), key.number)
            kept.add(key, terminal)
            ended = asyncio.Event()
            terminal.when_over(ended.set)
            await ended.wait()
        assert kept.find(keys[2]).is_over
        for key in keys[:2]:
            with pytest.raises(NotFound):
                kept.find(key)

    played(story)
