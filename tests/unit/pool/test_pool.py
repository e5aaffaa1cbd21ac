"""The pool over an engine that parks in memory, in time that passes at once."""

from __future__ import annotations

import asyncio

import pytest

from sandlot.contracts.errors import InvalidSpec, StartFailed
from sandlot.contracts.spec import SandboxSpec
from sandlot.pool.supply import Supply
from tests.unit.pool.parking import (
    SYSTEM,
    TAILORED,
    ClaimedBox,
    ParkingEngine,
    only,
    play,
    pool_over,
    settle,
)


def test_a_box_is_there_before_it_is_asked_for_and_another_takes_its_place() -> None:
    engine = ParkingEngine()

    async def scene() -> list[Supply]:
        pool, loop = pool_over(engine, depth=4), asyncio.get_running_loop()
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        began, told = loop.time(), [only(pool.supplies())]
        await pool.create(SYSTEM)
        assert loop.time() == began
        await asyncio.sleep(1)
        told.append(only(pool.supplies()))
        await pool.close()
        return told

    before, after = play(scene)
    assert (before.engine, before.stock, before.ready, before.refills) == ("parking", "system", 4, 4)
    assert (after.ready, after.hits, after.misses, after.refills) == (4, 1, 0, 5)
    assert after.refill_seconds == pytest.approx(5 * engine.seconds)
    assert len(engine.fates("claimed")) == 1
    assert len(engine.fates("discarded")) == 4
    assert engine.is_closed


def test_nothing_is_made_before_somebody_says_so() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine)
        await asyncio.sleep(5)
        assert (engine.asked, pool.supplies()) == (0, ())
        await pool.close()

    play(scene)


def test_what_has_no_stock_is_made_to_measure() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine)
        await pool.create(TAILORED)
        assert (engine.made_to_measure, engine.asked) == (1, 0)
        await pool.close()

    play(scene)


def test_an_empty_stock_makes_a_box_for_the_claim_and_then_fills() -> None:
    engine = ParkingEngine(seconds=0.25)

    async def scene() -> Supply:
        pool = pool_over(engine, depth=2)
        await pool.create(SYSTEM)
        told = only(pool.supplies())
        await asyncio.sleep(2)
        assert only(pool.supplies()).ready == 2
        await pool.close()
        return told

    told = play(scene)
    assert (told.hits, told.misses, told.wait_seconds) == (0, 1, 0.25)


def test_oldest_first() -> None:
    engine = ParkingEngine()

    async def scene() -> list[object]:
        pool = pool_over(engine, depth=3)
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        taken = [await pool.create(SYSTEM) for _ in range(2)]
        await pool.close()
        return [box.parked for box in taken if isinstance(box, ClaimedBox)]

    assert play(scene) == engine.parked[:2]


def test_a_box_that_died_while_it_was_parked_is_noticed_and_replaced() -> None:
    engine = ParkingEngine()

    async def scene() -> Supply:
        pool = pool_over(engine, depth=3)
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        engine.parked[1].die()
        await asyncio.sleep(0.1)
        told = only(pool.supplies())
        await pool.close()
        return told

    told = play(scene)
    assert (told.ready, told.dead, told.refills) == (3, 1, 4)


@pytest.mark.parametrize("deaths", [1, 2, 8])
def test_a_claim_that_meets_dead_boxes_gets_a_live_one(deaths: int) -> None:
    engine = ParkingEngine()

    async def scene() -> Supply:
        pool = pool_over(engine, depth=8)
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        for box in engine.parked[:deaths]:
            box.die_unseen()
        made = await pool.create(SYSTEM)
        assert isinstance(made, ClaimedBox)
        assert made.parked is not None
        assert made.parked.fate == "claimed"
        told = only(pool.supplies())
        await pool.close()
        return told

    assert play(scene).dead == min(deaths, 2)


def test_a_claim_for_which_even_a_new_box_dies_is_told_so() -> None:
    engine = ParkingEngine()
    engine.refusal = StartFailed("no box comes up here")

    async def scene() -> None:
        pool = pool_over(engine, depth=2)
        with pytest.raises(StartFailed, match="no box comes up"):
            await pool.create(SYSTEM)
        await pool.close()

    play(scene)
    assert not engine.fates("parked")


def test_a_claim_that_is_refused_ends_its_box_and_takes_no_other() -> None:
    engine = ParkingEngine()
    engine.refusal = InvalidSpec("memory of 1 is too little")

    async def scene() -> None:
        pool = pool_over(engine, depth=1)
        with pytest.raises(InvalidSpec):
            await pool.create(SYSTEM)
        await settle()
        assert engine.parked[0].fate == "discarded"
        await pool.close()

    play(scene)


def test_a_claim_that_nobody_wants_any_more_ends_its_box() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine, depth=1)
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        claiming = asyncio.ensure_future(pool.create(SYSTEM))
        await asyncio.sleep(0)
        claiming.cancel()
        await asyncio.wait([claiming])
        await settle()
        assert engine.parked[0].fate == "discarded"
        await pool.close()

    play(scene)


def test_stocks_never_mix() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine, depth=2)
        specs = [SandboxSpec(environment=name) for name in ("a", "b", "c")] * 10
        await asyncio.gather(*map(pool.create, specs))  # the engine asserts that each fits
        assert {told.stock: told.hits + told.misses for told in pool.supplies()} == {
            "a": 10,
            "b": 10,
            "c": 10,
        }
        await pool.close()

    play(scene)


def test_the_rest_is_the_engines() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine)
        assert (pool.name, pool.isolation) == (engine.name, engine.isolation)
        assert (await pool.probe()).engine == "parking"
        assert await pool.sweep() == 7
        await pool.close()

    play(scene)
