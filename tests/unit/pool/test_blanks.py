"""Stocks of boxes that have a blank workspace, beside those that have none."""

from __future__ import annotations

import asyncio

from sandlot.contracts.spec import Bounds, KeptWorkspace, SandboxSpec, WorkspaceKind
from sandlot.pool.pool import Pool
from tests.unit.pool.parking import SYSTEM, ParkingEngine, play, pool_over


def _blank(size: int) -> SandboxSpec:
    return SandboxSpec(workspace=KeptWorkspace("w", WorkspaceKind.IMAGE, Bounds(size, 1)))


def _ready(pool: Pool) -> dict[str, int]:
    return {supply.stock: supply.ready for supply in pool.supplies()}


def test_a_blank_workspace_is_served_from_its_own_stock_while_that_has_boxes_ready() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine, depth=2)
        pool.warm([SYSTEM, _blank(1)])
        await asyncio.sleep(1)
        assert _ready(pool) == {"system": 2, "system/1": 2}
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(3):
            await pool.create(_blank(1))
        assert loop.time() == began
        assert [box.stock for box in engine.fates("claimed")] == ["system", "system/1", "system/1"]
        told = {supply.stock: (supply.hits, supply.misses) for supply in pool.supplies()}
        assert told == {"system": (1, 0), "system/1": (2, 1)}
        await asyncio.sleep(1)
        assert _ready(pool) == {"system": 2, "system/1": 2}
        await pool.close()

    play(scene)
    assert not engine.fates("parked")


def test_boxes_with_blank_workspaces_are_made_for_nothing_but_what_was_said() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine, depth=2)
        pool.warm([SYSTEM])
        for _ in range(4):
            await pool.create(_blank(1))
        await asyncio.sleep(1)
        pool.warm([_blank(1)])
        other = SandboxSpec(environment="other", workspace=_blank(1).workspace)
        await pool.create(other)
        await asyncio.sleep(1)
        assert _ready(pool) == {"system": 2, "system/1": 2, "other": 2, "other/1": 2}
        await pool.close()

    play(scene)


def test_blank_workspaces_of_the_usual_bounds_are_stocked_once_one_was_asked_for() -> None:
    engine = ParkingEngine()
    usual = KeptWorkspace("w", WorkspaceKind.IMAGE, Bounds.of(SYSTEM.limits))

    async def scene() -> None:
        pool = pool_over(engine, depth=2)
        pool.warm([SYSTEM])
        await asyncio.sleep(1)
        assert _ready(pool) == {"system": 2}
        await pool.create(SandboxSpec(workspace=usual))
        await asyncio.sleep(1)
        assert _ready(pool) == {"system": 2, f"system/{Bounds.of(SYSTEM.limits).size}": 2}
        await pool.close()

    play(scene)


def test_the_next_box_is_made_after_the_first_command_of_a_sandbox() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine, depth=4)
        pool.warm([SYSTEM, _blank(1)])
        await asyncio.sleep(1)
        await pool.create(_blank(1))
        for seconds, asked in ((0.001, 8), (0.02, 8), (0.01, 9)):
            await asyncio.sleep(seconds)
            assert engine.asked == asked
        await pool.close()

    play(scene)


def test_one_stock_does_not_live_off_another() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pool = pool_over(engine, depth=4)
        pool.warm([SYSTEM, _blank(1)])
        await asyncio.sleep(1)
        for _ in range(4):
            await pool.create(SYSTEM)
        assert _ready(pool) == {"system": 0, "system/1": 4}
        await asyncio.sleep(1)
        assert _ready(pool) == {"system": 4, "system/1": 4}
        await pool.close()

    play(scene)
