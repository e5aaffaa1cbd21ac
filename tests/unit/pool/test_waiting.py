"""Who waits for a box, how long, and what they leave behind; bursts, and claims one after another."""

from __future__ import annotations

import asyncio

import pytest

from sandlot.contracts import errors
from sandlot.contracts.errors import EngineUnavailable, PoolExhausted
from sandlot.contracts.spec import SandboxSpec
from sandlot.pool.stock import LONGEST
from tests.unit.pool.parking import (
    SYSTEM,
    ClaimedBox,
    ParkingEngine,
    only,
    play,
    pool_over,
    settle,
)


def test_claims_that_wait_are_served_in_the_order_in_which_they_came() -> None:
    engine = ParkingEngine(seconds=0.1)
    order: list[int] = []

    async def scene() -> None:
        pool = pool_over(engine, at_once=2)

        async def one(number: int) -> None:
            await pool.create(SYSTEM)
            order.append(number)

        await asyncio.gather(*(one(number) for number in range(20)))
        assert engine.most_parking == 2
        await pool.close()

    play(scene)
    assert order == list(range(20))


def test_e34_a_burst_of_ten_times_the_pool_is_served_and_the_pool_is_full_again_at_once() -> None:
    engine = ParkingEngine(seconds=0.005)

    async def scene() -> float:
        pool, loop = pool_over(engine, depth=8), asyncio.get_running_loop()
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        slowest = 0.0
        for _ in range(24):
            await asyncio.gather(*(pool.create(SYSTEM) for _ in range(80)))
            ended = loop.time()
            while only(pool.supplies()).ready < 8:  # noqa: ASYNC110 - it is the time that is looked at
                await asyncio.sleep(0.001)
            slowest = max(slowest, loop.time() - ended)
            await asyncio.sleep(5)
        await pool.close()
        return slowest

    assert play(scene) < 0.1
    assert len(engine.fates("claimed")) == 24 * 80


def test_claims_back_to_back_leave_the_stock_neither_empty_nor_full() -> None:
    """A box takes as long to make as one claim after another: they share the machine."""
    engine = ParkingEngine(seconds=0.001)

    async def scene() -> list[int]:
        pool = pool_over(engine, depth=8)
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        found = []
        for _ in range(500):
            await pool.create(SYSTEM)
            found.append(only(pool.supplies()).ready)
            await asyncio.sleep(0.0011)  # too short to count as a pause
        assert only(pool.supplies()).misses == 0
        await pool.close()
        return found

    steady = play(scene)[100:]
    assert 1 <= min(steady) <= max(steady) <= 4
    assert engine.most_parking <= 2


def test_spaced_claims_are_followed_by_their_refill() -> None:
    engine = ParkingEngine(seconds=0.001)

    async def scene() -> None:
        pool = pool_over(engine, depth=8)
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        for _ in range(100):
            box = await pool.create(SYSTEM)
            await asyncio.sleep(0.015)
            assert engine.parking == 0  # the program has the machine for itself
            await box.close()
            await asyncio.sleep(0.004)
            assert only(pool.supplies()).ready == 8
        await pool.close()

    play(scene)


def test_a_box_that_lives_on_holds_the_refill_up_for_a_moment_only() -> None:
    engine = ParkingEngine(seconds=0.001)

    async def scene() -> None:
        pool = pool_over(engine, depth=8)
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        for _ in range(20):
            await pool.create(SYSTEM)
            await asyncio.sleep(LONGEST - 0.001)
            assert (engine.parking, only(pool.supplies()).ready) == (0, 7)
            await asyncio.sleep(0.003)
            assert only(pool.supplies()).ready == 8
        await pool.close()

    play(scene)


def test_the_end_of_an_earlier_box_is_no_pause_while_the_last_one_runs() -> None:
    engine = ParkingEngine(seconds=0.001)

    async def scene() -> None:
        pool = pool_over(engine, depth=8)
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        first, last = await pool.create(SYSTEM), await pool.create(SYSTEM)
        await asyncio.sleep(0.003)
        await first.close()
        await asyncio.sleep(0.003)
        assert (engine.parking, only(pool.supplies()).ready) == (0, 6)
        await last.close()
        await asyncio.sleep(0.006)
        assert only(pool.supplies()).ready == 8
        await pool.close()

    play(scene)


def test_a_claim_in_the_pause_after_another_puts_the_refill_off_and_no_longer() -> None:
    engine = ParkingEngine(seconds=0.001)

    async def scene() -> None:
        pool = pool_over(engine, depth=8)
        pool.warm([SYSTEM])
        await asyncio.sleep(1.5)
        await pool.create(SYSTEM)
        await asyncio.sleep(LONGEST / 2)
        await pool.create(SYSTEM)
        await asyncio.sleep(LONGEST * 3 / 4)  # what the first one had waited for is over
        assert (engine.parking, only(pool.supplies()).ready) == (0, 6)
        await asyncio.sleep(LONGEST / 2)
        assert only(pool.supplies()).ready == 8
        await pool.close()

    play(scene)


def test_the_box_of_a_waiter_who_left_goes_to_the_next_or_to_the_stock() -> None:
    engine = ParkingEngine()
    engine.gate = asyncio.Event()

    async def scene() -> None:
        gate = engine.gate
        assert gate is not None
        pool = pool_over(engine, depth=1, at_once=1)
        waiters = [asyncio.ensure_future(pool.create(SYSTEM)) for _ in range(3)]
        await settle()
        assert only(pool.supplies()).waiting == 3
        waiters[0].cancel()
        await settle()
        assert only(pool.supplies()).waiting == 2
        gate.set()
        await waiters[1]
        waiters[2].cancel()
        await settle()
        told = only(pool.supplies())
        assert (told.waiting, told.starting, len(engine.fates("claimed"))) == (0, 0, 1)
        assert told.ready == len(engine.fates("parked")) == 2  # one was made ahead meanwhile
        await asyncio.sleep(2)
        assert only(pool.supplies()).ready == 1
        await pool.close()

    play(scene)


def test_a_waiter_that_leaves_in_the_moment_it_is_served_leaves_the_box() -> None:
    engine = ParkingEngine()
    engine.gate = asyncio.Event()

    async def scene() -> None:
        gate = engine.gate
        assert gate is not None
        pool = pool_over(engine, depth=1, at_once=1)
        waiter = asyncio.ensure_future(pool.create(SYSTEM))
        await settle()
        gate.set()
        while not only(pool.supplies()).refills:  # noqa: ASYNC110 - this very turn of the loop is meant
            await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait([waiter])
        assert waiter.cancelled()
        assert engine.parked[0].fate == "parked"
        assert only(pool.supplies()).ready == len(engine.parked)
        assert not engine.fates("claimed")
        await pool.close()

    play(scene)


def test_who_waits_too_long_is_told_to_come_again_and_who_is_being_served_is_not() -> None:
    engine = ParkingEngine(seconds=12.0)

    async def scene() -> list[object]:
        pool, loop = pool_over(engine, depth=1, at_once=1, wait=5.0), asyncio.get_running_loop()
        waiters = [asyncio.ensure_future(pool.create(SYSTEM)) for _ in range(3)]
        await asyncio.wait(waiters[1:])
        assert loop.time() == 5.0
        told: list[object] = [*await asyncio.gather(*waiters, return_exceptions=True)]
        assert only(pool.supplies()).refused == 2
        await pool.close()
        return told

    first, *others = play(scene)
    assert isinstance(first, ClaimedBox)
    assert all(isinstance(error, PoolExhausted) for error in others)


def test_beyond_the_queue_nobody_waits() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine, waiting=3)
        waiters = [asyncio.ensure_future(pool.create(SYSTEM)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(PoolExhausted, match="system and 3 wait: try again"):
            await pool.create(SYSTEM)
        await asyncio.gather(*waiters)
        await pool.close()

    play(scene)


@pytest.mark.parametrize("kind", [errors.EngineUnavailable, errors.StartFailed, errors.NotFound])
def test_each_waiter_is_told_of_a_failure_of_its_own(kind: type[errors.SandlotError]) -> None:
    engine = ParkingEngine()
    engine.error = kind("no")

    async def scene() -> None:
        pool = pool_over(engine, depth=2)
        told = await asyncio.gather(*(pool.create(SYSTEM) for _ in range(4)), return_exceptions=True)
        assert {type(error) for error in told} == {kind}
        assert len({id(error) for error in told}) == len(told) or engine.error in told
        await pool.close()

    play(scene)


def test_closing_ends_what_is_parked_what_is_being_made_and_the_hope_of_who_waits() -> None:
    engine = ParkingEngine(seconds=1.0)

    async def scene() -> None:
        pool = pool_over(engine, depth=4)
        pool.warm([SYSTEM])
        await asyncio.sleep(2.5)
        waiter = asyncio.ensure_future(pool.create(SandboxSpec(environment="other")))
        await settle()
        assert engine.parking > 0
        await pool.close()
        with pytest.raises(EngineUnavailable, match="engine parking was closed"):
            await waiter
        assert (engine.parking, engine.fates("parked")) == (0, [])
        with pytest.raises(EngineUnavailable, match="closed"):
            await pool.create(SYSTEM)
        await pool.close()

    play(scene)
