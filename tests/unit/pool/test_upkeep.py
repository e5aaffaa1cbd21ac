"""What becomes of boxes nobody claims: memory, age, idleness, failure, the end."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sandlot.contracts.errors import NotFound, StartFailed
from sandlot.contracts.spec import SandboxSpec
from tests.unit.pool.parking import (
    SYSTEM,
    TAILORED,
    Host,
    ParkingEngine,
    only,
    play,
    pool_over,
)


def test_e36_with_memory_short_nothing_is_made_ahead_and_what_there_is_goes() -> None:
    engine, host = ParkingEngine(), Host(available=30)

    async def scene() -> None:
        pool = pool_over(engine, host, depth=8)
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        host.available = 9
        await asyncio.sleep(1)
        assert only(pool.supplies()).ready == 4
        await asyncio.sleep(4)
        assert only(pool.supplies()).ready == 0
        made = engine.asked
        await pool.create(SYSTEM)  # who asks is served all the same
        await asyncio.sleep(5)
        assert engine.asked == made + 1
        host.available = 12  # what was shed
        await asyncio.sleep(5)
        assert engine.asked == made + 1
        host.available = 20
        await asyncio.sleep(2)
        told = only(pool.supplies())
        assert (told.ready, told.retired) == (8, 8)
        assert host.asked <= asyncio.get_running_loop().time() + 1
        await pool.close()

    play(scene)


def test_old_boxes_are_replaced_one_by_one() -> None:
    engine = ParkingEngine(seconds=0.5)

    async def scene() -> None:
        pool = pool_over(engine, depth=4, age=60.0)
        pool.warm([SYSTEM])
        least = 4
        await asyncio.sleep(4)
        for _ in range(6500):
            await asyncio.sleep(0.01)
            least = min(least, only(pool.supplies()).ready)
        told = only(pool.supplies())
        assert (least, told.ready, told.retired) == (3, 4, 4)
        assert all(box.fate == "discarded" for box in engine.parked[:4])
        await pool.close()

    play(scene)


def test_a_stock_nobody_asks_for_is_emptied_and_forgotten_unless_it_is_kept() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine, depth=2, idle=30.0)
        pool.warm([SYSTEM, SandboxSpec(environment="kept")])
        await pool.create(SandboxSpec(environment="rare"))
        await asyncio.sleep(20)
        assert [(told.stock, told.ready) for told in pool.supplies()] == [
            ("system", 2),
            ("kept", 2),
            ("rare", 2),
        ]
        await asyncio.sleep(20)
        assert [(told.stock, told.ready) for told in pool.supplies()] == [("system", 2), ("kept", 2)]
        await pool.close()

    play(scene)


def test_what_cannot_be_made_ahead_is_tried_less_and_less(caplog: pytest.LogCaptureFixture) -> None:
    engine = ParkingEngine()
    engine.error = StartFailed("no user namespaces")

    async def scene() -> None:
        pool = pool_over(engine, depth=2)
        with caplog.at_level(logging.WARNING):
            pool.warm([SYSTEM])
            await asyncio.sleep(60)
        assert 3 <= engine.asked <= 10
        assert "no box of parking could be made ahead for system: no user namespaces" in caplog.text
        with pytest.raises(StartFailed, match="no user namespaces"):  # who asks is told at once
            await pool.create(SYSTEM)
        engine.error = None
        await pool.create(SYSTEM)
        await asyncio.sleep(1)
        told = only(pool.supplies())
        assert (told.ready, told.failed) == (2, engine.asked - told.refills)
        await pool.close()

    play(scene)


def test_an_environment_that_is_not_there_is_told_and_does_not_keep_others_cold(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine, depth=1)
        pool.warm([SandboxSpec(environment="unknown"), TAILORED, SYSTEM])
        await asyncio.sleep(1)
        assert [told.stock for told in pool.supplies()] == ["system"]
        with pytest.raises(NotFound):
            await pool.create(SandboxSpec(environment="unknown"))
        await pool.close()

    play(scene)
    assert "there is no environment 'unknown'" in caplog.text
