"""From an installed engine's class to its pool, and from settings to rules."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

import pytest

from sandlot import settings
from sandlot.contracts.engine import Engine
from sandlot.contracts.errors import EngineUnavailable, NotFound, PoolExhausted
from sandlot.contracts.spec import Isolation, Network, SandboxSpec
from sandlot.engines import registry
from sandlot.engines.failover import FailoverEngine
from sandlot.local.service import LocalService
from sandlot.local.start import house_of, pools_of
from sandlot.pool.pools import Pools
from sandlot.pool.stock import Rules
from sandlot.sandboxes.sandboxes import Sandboxes
from tests.unit.engines.memory import MemoryEngine
from tests.unit.pool.parking import SYSTEM, ClaimedBox, ParkingEngine, play, settle

HERE = "tests.unit.pool.parking:ParkingEngine"


def _over(*engines: Engine, pools: Pools) -> FailoverEngine:
    makers: dict[str, tuple[Isolation, Callable[[], Engine]]] = {}
    for engine in engines:
        is_parking = isinstance(engine, ParkingEngine)
        make = functools.partial(pools.over, engine) if is_parking else functools.partial(_same, engine)
        makers[engine.name] = (engine.isolation, make)
    return FailoverEngine(makers)


def _same(engine: Engine) -> Engine:
    return engine


def test_an_engine_says_itself_whether_it_parks() -> None:
    assert registry.load("parking", HERE).parks
    assert not registry.load("memory", "tests.unit.engines.memory:MemoryBox").parks
    known = {offer.name: offer.parks for offer in registry.offers()}
    assert not known["process"]


def test_the_pool_fills_from_the_start_and_serves_through_the_service() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pools = Pools(Rules(depth=2), [SYSTEM])
        failover = _over(engine, pools=pools)
        service = LocalService(Sandboxes(failover), pools=pools)
        assert service.supplies() == ()
        failover.prepare(SandboxSpec())
        pools.warm()
        await asyncio.sleep(1)
        box = await service.of("somebody").make(SYSTEM)
        assert isinstance(box, ClaimedBox)
        (told,) = service.of("somebody").supplies()
        assert (told.engine, told.stock, told.hits, told.ready) == ("parking", "system", 1, 1)
        await service.close()
        assert engine.is_closed

    play(scene)
    assert not engine.fates("parked")


def test_an_engine_that_is_made_later_is_warm_too() -> None:
    engine = ParkingEngine()

    async def scene() -> None:
        pools = Pools(Rules(depth=2), [SYSTEM])
        pools.warm()
        pool = pools.over(engine)
        await asyncio.sleep(1)
        assert [told.ready for told in pools.supplies()] == [2]
        await pool.close()

    play(scene)


def test_without_pools_there_are_no_numbers() -> None:
    async def scene() -> None:
        service = LocalService(Sandboxes(ParkingEngine()))
        assert service.supplies() == ()
        await service.close()

    play(scene)


def test_a_full_pool_is_told_and_not_relieved_by_a_dearer_engine() -> None:
    parking, other = ParkingEngine(seconds=60.0), MemoryEngine("zzz")

    async def scene() -> None:
        failover = _over(parking, other, pools=Pools(Rules(depth=1, at_once=1, waiting=2)))
        first = [asyncio.ensure_future(failover.create(SYSTEM)) for _ in range(2)]
        await settle()
        for _ in range(5):
            with pytest.raises(PoolExhausted):
                await failover.create(SYSTEM)
        assert isinstance(await first[0], ClaimedBox)
        with pytest.raises(PoolExhausted):
            await first[1]
        assert other.asked == 0
        await failover.close()

    play(scene)


def test_a_pool_that_cannot_make_boxes_is_followed_by_another_engine() -> None:
    parking, other = ParkingEngine(), MemoryEngine("zzz")
    parking.error = EngineUnavailable("no user namespaces")

    async def scene() -> None:
        failover = _over(parking, other, pools=Pools(Rules()))
        box = await failover.create(SYSTEM)
        assert (box.engine, box.failover) == ("zzz", ("parking: no user namespaces",))
        with pytest.raises(NotFound):
            await failover.create(SandboxSpec(environment="unknown"))
        await failover.close()

    play(scene)


def test_settings_become_rules_and_what_is_kept() -> None:
    environ = {"SANDLOT_POOL_KEEP": "science,system", "SANDLOT_ENVIRONMENT": "mine", "HOME": "/h"}
    chosen = settings.load({"pool_depth": "3"}, environ, [])
    engine = ParkingEngine()

    async def scene() -> None:
        pools = pools_of(chosen, house_of(chosen).defaults)
        assert pools is not None
        pool = pools.over(engine)
        pools.warm()
        await asyncio.sleep(2)
        assert {told.stock: told.ready for told in pools.supplies()} == {"mine": 3, "science": 3, "system": 3}
        await pool.close()

    play(scene)
    assert house_of(chosen).defaults.network is Network.NONE


def test_depth_zero_is_no_pool() -> None:
    chosen = settings.load({"pool_depth": 0}, {"HOME": "/h"}, [])
    assert pools_of(chosen, SandboxSpec()) is None
