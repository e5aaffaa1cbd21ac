from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sandlot.contracts.errors import BoxDied, Conflict, NotFound, PoolExhausted, QuotaDenied
from sandlot.contracts.events import Event, Exited, Failed, Reason, Started, Stdout
from sandlot.server.dialects.native import runs
from sandlot.server.dialects.native.manners import COMMANDS
from sandlot.server.dialects.native.registry import Bounds, Key, Runs, new_key
from sandlot.server.dialects.native.runs import Run, Told
from sandlot.wire.events import MOST_DATA

END = Exited(Reason.EXITED, 0)


class Source:
    """Events of a command that goes on as long as it is let, and knows when it was closed."""

    def __init__(self, *events: Event, size: int = 0) -> None:
        self.events, self.size = events, size
        self.taken = 0
        self.is_closed = False

    async def told(self) -> AsyncIterator[Event]:
        try:
            for event in self.events:
                self.taken += 1
                yield event
                await asyncio.sleep(0)
            while self.size:
                self.taken += 1
                yield Stdout(b"x" * self.size)
                await asyncio.sleep(0)
        finally:
            self.is_closed = True


def run_of(source: AsyncIterator[Event], **more: Any) -> Run[Event]:
    return Run(source, COMMANDS, **more)


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def played() -> None:
        async with asyncio.timeout(20):
            await scene()

    asyncio.run(played())


async def everything(run: Run[Event], after: int = 0) -> list[Told[Event]]:
    return [told async for batch in run.read(after) for told in batch]


async def forgotten(kept: Runs[Event], key: Key) -> None:
    """Wait until nothing is known of the run called *key*; nothing announces that."""
    for _ in range(1000):
        try:
            kept.find(key)
        except NotFound:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it is still remembered")


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_events_are_numbered_from_one() -> None:
    async def scene() -> None:
        told = await everything(run_of(Source(Started("p"), Stdout(b"a"), END).told()))
        assert told == [(1, Started("p")), (2, Stdout(b"a")), (3, END)]

    play(scene)


def test_a_run_that_is_not_resumable_dies_with_its_reader() -> None:
    async def scene() -> None:
        source = Source(Started("p"), size=10)
        run = run_of(source.told())
        reader = run.read()
        await anext(reader)
        await reader.aclose()
        await turns()
        assert source.is_closed
        assert run.is_over

    play(scene)


def test_a_reader_that_comes_back_is_told_what_it_missed() -> None:
    async def scene() -> None:
        run = run_of(Source(Started("p"), Stdout(b"a"), Stdout(b"b"), END).told(), is_resumable=True)
        reader = run.read()
        first = await anext(reader)
        await reader.aclose()
        await turns()
        assert [number for number, _ in await everything(run, 1)] == [2, 3, 4]
        assert first[0].number == 1

    play(scene)


def test_a_later_reader_takes_over() -> None:
    async def scene() -> None:
        run = run_of(Source(Started("p"), size=10).told(), is_resumable=True)
        early, late = run.read(), run.read()
        with pytest.raises(StopAsyncIteration):
            await anext(early)
        await early.aclose()
        assert (await anext(late))[0] == (1, Started("p"))
        await run.kill()

    play(scene)


def test_an_orphan_is_killed_in_the_end() -> None:
    async def scene() -> None:
        source = Source(Started("p"), size=10)
        run = run_of(source.told(), is_resumable=True, orphan_seconds=0.02)
        reader = run.read()
        await anext(reader)
        await reader.aclose()
        over = asyncio.Event()
        run.when_over(over.set)
        await over.wait()
        assert source.is_closed
        told = await everything(run, 1)
        assert isinstance(told[-1].event, Exited)
        assert told[-1].event.reason is Reason.KILLED

    play(scene)


def test_one_that_is_never_read_is_killed_too() -> None:
    async def scene() -> None:
        run = run_of(Source(Started("p"), size=10).told(), orphan_seconds=0.02)
        over = asyncio.Event()
        run.when_over(over.set)
        await over.wait()

    play(scene)


def test_a_slow_reader_slows_the_program_and_loses_nothing() -> None:
    async def scene() -> None:
        source = Source(Started("p"), size=10_000)
        run = run_of(source.told(), is_resumable=True)
        await turns(500)
        taken = source.taken
        await turns(500)
        assert source.taken == taken
        assert run.size <= runs.MOST_KEPT
        reader = run.read()
        numbers = [told.number for _ in range(50) for told in await anext(reader)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert run.size <= runs.MOST_KEPT
        await run.kill()

    play(scene)


def test_what_is_not_kept_any_more_cannot_be_asked_for() -> None:
    async def scene() -> None:
        run = run_of(Source(Started("p"), size=10_000).told(), is_resumable=True)
        reader = run.read()
        for _ in range(300):
            await anext(reader)
        await reader.aclose()
        with pytest.raises(Conflict, match="are kept"):
            run.read(1)
        with pytest.raises(Conflict, match="are kept"):
            run.read(10**6)
        await run.kill()

    play(scene)


def test_output_longer_than_the_wire_takes_is_cut_into_events() -> None:
    async def scene() -> None:
        run = run_of(Source(Started("p"), Stdout(b"x" * (2 * MOST_DATA + 1)), END).told())
        sizes = [len(told.event.data) for told in await everything(run) if isinstance(told.event, Stdout)]
        assert sizes == [MOST_DATA, MOST_DATA, 1]

    play(scene)


def test_an_error_of_the_box_is_the_last_event() -> None:
    async def broken() -> AsyncIterator[Event]:
        yield Started("p")
        raise BoxDied("gone")

    async def scene() -> None:
        assert (await everything(run_of(broken())))[-1].event == Failed("box_died", "gone")

    play(scene)


def test_an_error_of_ours_is_the_last_event_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> AsyncIterator[Event]:
        yield Started("p")
        raise ZeroDivisionError("secret")

    async def scene() -> None:
        last = (await everything(run_of(broken())))[-1].event
        assert isinstance(last, Failed)
        assert (last.code, "secret" in last.message) == ("internal", False)

    play(scene)
    assert "secret" in caplog.text


def test_a_run_killed_before_it_began_is_over() -> None:
    async def scene() -> None:
        run = run_of(Source(Started("p")).told())
        await run.kill()
        told = await everything(run)
        assert run.is_over
        assert [type(each.event) for each in told] == [Exited]

    play(scene)


def test_runs_are_found_by_their_own_owner_and_sandbox_only() -> None:
    async def scene() -> None:
        kept = Runs(COMMANDS)
        key = new_key("me", "a")
        run = run_of(Source(Started("p"), END).told())
        kept.add(key, run)
        assert kept.find(key) is run
        for other in (key._replace(owner="you"), key._replace(sandbox="b"), key._replace(number="0" * 32)):
            with pytest.raises(NotFound):
                kept.find(other)
        await run.kill()

    play(scene)


def test_a_run_is_remembered_for_a_while() -> None:
    async def scene() -> None:
        kept, key = Runs(COMMANDS, Bounds(seconds=0.02)), new_key("me", "a")
        run = run_of(Source(Started("p"), END).told())
        kept.add(key, run)
        await everything(run)
        kept.find(key)
        await forgotten(kept, key)

    play(scene)


def test_runs_are_bounded_in_number() -> None:
    async def scene() -> None:
        kept = Runs(COMMANDS, Bounds(runs=3, of_an_owner=2))
        held = [run_of(Source(Started("p"), size=1).told(), is_resumable=True) for _ in range(3)]
        for owner, run in zip(("me", "me", "you"), held, strict=True):
            kept.admit(owner)
            kept.add(new_key(owner, "a"), run)
        with pytest.raises(QuotaDenied):
            kept.admit("me")
        with pytest.raises(PoolExhausted):
            kept.admit("they")
        await held[0].kill()
        kept.admit("they")
        await asyncio.gather(*(run.kill() for run in held))

    play(scene)


def test_events_of_ended_runs_are_bounded_in_bytes() -> None:
    async def scene() -> None:
        kept, keys = Runs(COMMANDS, Bounds(ended_bytes=5_000)), [new_key("me", "a") for _ in range(3)]
        for key in keys:
            run = run_of(Source(Started("p"), Stdout(b"x" * 2_000), END).told(), is_resumable=True)
            kept.add(key, run)
            await everything(run)
        with pytest.raises(NotFound):
            kept.find(keys[0])
        kept.find(keys[2])

    play(scene)
