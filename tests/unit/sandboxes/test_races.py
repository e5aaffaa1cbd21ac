"""Many at once, and callers who go away: one box for one sandbox, and nothing left behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandlot.contracts.command import Command
from sandlot.contracts.errors import Conflict, NotFound, SandlotError, StartFailed
from sandlot.contracts.events import Exited, Reason
from sandlot.contracts.lease import EndReason, State
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from tests.unit.sandboxes.house import LEASED, until
from tests.unit.sandboxes.place import ME, Place, play


def test_a_hundred_who_ask_for_one_sandbox_get_one_box() -> None:
    async def scene(place: Place) -> None:
        found = await asyncio.gather(*(place.all.ensure(ME, "one", LEASED) for _ in range(100)))
        assert {(status.id, status.created) for status in found} == {("one", place.clock.now)}
        assert (place.engine.tried, len(place.store.kept)) == (1, 1)

    play(scene)


def test_a_hundred_who_ask_in_vain_are_told_the_same_once() -> None:
    async def scene(place: Place) -> None:
        place.engine.failing = 1
        asked = (place.all.ensure(ME, "one", LEASED) for _ in range(100))
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(each) for each in told} == {StartFailed}
        assert place.engine.tried == 1

    play(scene)


def test_another_spec_is_a_conflict_while_the_first_still_starts() -> None:
    async def scene(place: Place) -> None:
        place.engine.open.clear()
        starting = asyncio.ensure_future(place.all.ensure(ME, "one", LEASED))
        await until(lambda: place.engine.tried == 1)
        with pytest.raises(Conflict):
            await place.all.ensure(ME, "one", replace(LEASED, environment="other"))
        with pytest.raises(NotFound):
            place.all.status(ME, "one")
        assert place.all.list(ME) == ()
        place.engine.open.set()
        await starting

    play(scene)


def test_whoever_is_cancelled_leaves_the_start_to_the_others() -> None:
    async def scene(place: Place) -> None:
        place.engine.open.clear()
        asking = [asyncio.ensure_future(place.all.ensure(ME, "one", LEASED)) for _ in range(10)]
        await until(lambda: place.engine.tried == 1)
        for each in asking[:9]:
            each.cancel()
        await asyncio.wait(asking[:9])
        place.engine.open.set()
        assert (await asking[9]).state is State.RUNNING
        assert (place.engine.tried, all(each.cancelled() for each in asking[:9])) == (1, True)

    play(scene)


def test_a_start_that_everybody_left_leaves_nothing_and_can_be_asked_for_again() -> None:
    async def scene(place: Place) -> None:
        place.engine.open.clear()
        asking = [asyncio.ensure_future(place.all.ensure(ME, "one", LEASED)) for _ in range(3)]
        await until(lambda: place.engine.tried == 1)
        for each in asking:
            each.cancel()
        again = asyncio.ensure_future(place.all.ensure(ME, "one", replace(LEASED, environment="other")))
        await asyncio.wait(asking)
        assert all(each.cancelled() for each in asking)
        place.engine.open.set()
        await again
        assert (len(place.engine.boxes), len(place.store.kept), len(await place.registry.load())) == (1, 1, 1)

    play(scene)


def test_whenever_the_only_caller_leaves_nothing_stays_longer_than_its_lease() -> None:
    async def scene(place: Place) -> None:
        for steps in range(30):
            asking = asyncio.ensure_future(place.all.ensure(ME, "one", replace(LEASED, ttl=Seconds(0.02))))
            for _ in range(steps):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            place.clock.now += 1
            await until(lambda: place.engine.living == [] and place.store.kept == {})
            assert place.all.list(ME) == ()

    play(scene)


def test_a_sandbox_deleted_while_it_starts_never_comes_to_be() -> None:
    async def scene(place: Place) -> None:
        place.engine.open.clear()
        starting = asyncio.ensure_future(place.all.ensure(ME, "one", LEASED))
        await until(lambda: place.engine.tried == 1)
        await place.all.delete(ME, "one")
        with pytest.raises(Conflict, match="ended while it started"):
            await starting
        assert (place.engine.boxes, place.store.kept, await place.registry.load()) == ([], {}, ())
        with pytest.raises(NotFound):
            await place.all.delete(ME, "one")

    play(scene)


def test_a_running_command_ends_with_its_sandbox() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", LEASED)
        box = await place.all.reach(ME, "one")

        async def last() -> object:
            return [event async for event in box.run(Command(argv=("hang",)))][-1]

        running = [asyncio.ensure_future(last()) for _ in range(3)]
        await until(lambda: place.all.census().commands == 3)
        await place.all.delete(ME, "one")
        for end in await asyncio.gather(*running):
            assert isinstance(end, Exited)
            assert end.reason is Reason.BOX_DIED
        assert place.all.census().commands == 0

    play(scene)


def test_of_many_who_delete_one_does_and_the_others_do_not_find_it() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", LEASED)
        told = await asyncio.gather(*(place.all.delete(ME, "one") for _ in range(10)), return_exceptions=True)
        assert sorted(type(each).__name__ for each in told) == ["NoneType"] + ["NotFound"] * 9

    play(scene)


def test_a_delete_whose_caller_left_is_done_all_the_same() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "one", LEASED)
        leaving = asyncio.ensure_future(place.all.delete(ME, "one"))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        status = await place.all.ensure(ME, "one", replace(LEASED, environment="other"))
        assert (status.state, len(place.store.kept)) == (State.RUNNING, 1)

    play(scene)


def test_sandboxes_start_and_end_side_by_side() -> None:
    async def scene(place: Place) -> None:
        await place.all.ensure(ME, "old", LEASED)
        place.engine.open.clear()
        starting = [asyncio.ensure_future(place.all.ensure(ME, f"new{n}", LEASED)) for n in range(3)]
        await until(lambda: place.engine.tried == 4)
        await place.all.delete(ME, "old")
        place.engine.open.set()
        await asyncio.gather(*starting)

    play(scene)


def test_closing_while_sandboxes_start_leaves_nothing() -> None:
    async def scene(place: Place) -> None:
        place.engine.open.clear()
        starting = [asyncio.ensure_future(place.all.ensure(ME, str(n), LEASED)) for n in range(3)]
        await until(lambda: place.engine.tried == 3)
        await place.all.close()
        told = await asyncio.gather(*starting, return_exceptions=True)
        assert {type(each) for each in told} == {Conflict}
        assert (place.store.kept, await place.registry.load()) == ({}, ())

    play(scene)


@settings(max_examples=60)
@given(seed=st.integers())
def test_whatever_comes_in_whatever_order_books_and_boxes_agree(seed: int) -> None:
    """Callers come, go away and boxes die at random; in the end every living thing belongs to a sandbox."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable order of events

    async def act(place: Place) -> None:
        name = chance.choice("ab")
        verbs: list[Callable[[], Awaitable[object]]] = [
            lambda: place.all.ensure(ME, name, chance.choice([LEASED, SandboxSpec(ttl=Seconds(0.01))])),
            lambda: place.all.ensure(ME, name, SandboxSpec()),
            lambda: place.all.reach(ME, name),
            lambda: place.all.touch(ME, name),
            lambda: place.all.delete(ME, name),
        ]
        with suppress(SandlotError):
            await chance.choice(verbs)()

    def disturb(place: Place, tasks: list[asyncio.Task[None]]) -> None:
        what = chance.random()
        if what < 0.2:
            chance.choice(tasks).cancel()
        elif what < 0.3 and place.engine.living:
            chance.choice(place.engine.living).die(EndReason.BOX_DIED)
        elif what < 0.35:
            place.engine.failing = 1
        elif what < 0.4:
            place.clock.now += 0.02

    async def scene(place: Place) -> None:
        tasks: list[asyncio.Task[None]] = []
        for _ in range(50):
            tasks.append(asyncio.ensure_future(act(place)))
            if chance.random() < 0.5:
                await asyncio.sleep(0)
            disturb(place, tasks)
        await asyncio.wait(tasks)
        assert [error for task in tasks if not task.cancelled() and (error := task.exception())] == []
        await until(lambda: _agree(place))

    place = play(scene)
    kept = {key for key, record in vars(place.registry)["_records"].items() if not record.has_ended}
    assert set(place.store.kept) == kept


def _agree(place: Place) -> bool:
    """Whether every box belongs to a running sandbox and every workspace to a living one."""
    census, living = place.all.census().sandboxes, place.all.list(ME)
    durable = [status for status in living if status.is_durable]
    return (
        len(place.engine.living) == census[State.RUNNING]
        and len(place.store.kept) == len(durable)
        and sum(census.values()) == len(living)
    )
