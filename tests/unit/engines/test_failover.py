from __future__ import annotations

import asyncio
import functools

import pytest

from sandlot.contracts import errors
from sandlot.contracts.spec import Isolation, SandboxSpec
from sandlot.engines.failover import MOST_FAILURES, FailoverEngine
from tests.unit.engines.memory import MemoryEngine


def _over(*engines: MemoryEngine) -> FailoverEngine:
    makers = {engine.name: (engine.isolation, functools.partial(_same, engine)) for engine in engines}
    return FailoverEngine(makers)


def _same(engine: MemoryEngine) -> MemoryEngine:
    return engine


def _engines() -> tuple[MemoryEngine, MemoryEngine, MemoryEngine]:
    return MemoryEngine("zygote"), MemoryEngine("bubblewrap"), MemoryEngine("process", Isolation.PROCESS)


def test_the_fastest_engine_serves_and_nothing_is_recorded() -> None:
    zygote, bubblewrap, process = _engines()
    spec = SandboxSpec(env={"A": "b"})
    box = asyncio.run(_over(bubblewrap, process, zygote).create(spec))
    assert (box.engine, box.failover, zygote.latest) == ("zygote", (), spec)
    assert (bubblewrap.asked, process.asked) == (0, 0)


@pytest.mark.parametrize("kind", [errors.EngineUnavailable, errors.StartFailed, errors.BoxDied])
def test_an_engine_that_is_unavailable_is_followed_and_shown(kind: type[errors.SandlotError]) -> None:
    zygote, bubblewrap, process = _engines()
    zygote.error = kind("the parent is gone")
    box = asyncio.run(_over(zygote, bubblewrap, process).create(SandboxSpec()))
    assert (box.engine, box.failover) == ("bubblewrap", ("zygote: the parent is gone",))


def test_it_never_falls_below_the_level() -> None:
    zygote, bubblewrap, process = _engines()
    zygote.error = bubblewrap.error = errors.StartFailed("no")
    with pytest.raises(errors.EngineUnavailable, match="zygote: no; bubblewrap: no"):
        asyncio.run(_over(zygote, bubblewrap, process).create(SandboxSpec()))
    assert process.asked == 0


def test_the_level_of_a_named_engine_is_the_floor() -> None:
    zygote, bubblewrap, process = _engines()
    bubblewrap.error = errors.StartFailed("no")
    box = asyncio.run(_over(process, zygote, bubblewrap).create(SandboxSpec(engine="bubblewrap")))
    assert box.engine == "zygote"


@pytest.mark.parametrize(
    "kind", [errors.Unsupported, errors.InvalidSpec, errors.NotFound, errors.OutOfMemory]
)
def test_a_mistake_of_the_caller_is_not_tried_again_elsewhere(kind: type[errors.SandlotError]) -> None:
    zygote, bubblewrap, process = _engines()
    zygote.error = kind("wrong")
    with pytest.raises(kind):
        asyncio.run(_over(zygote, bubblewrap, process).create(SandboxSpec()))
    assert bubblewrap.asked == 0


def test_the_only_engines_own_error_is_raised() -> None:
    _, bubblewrap, process = _engines()
    bubblewrap.error = errors.EngineUnavailable("bwrap is not installed: install it with: apt-get ...")
    with pytest.raises(errors.EngineUnavailable, match=r"^bwrap is not installed"):
        asyncio.run(_over(bubblewrap, process).create(SandboxSpec()))


def test_an_engine_that_keeps_failing_rests_while_another_serves() -> None:
    zygote, bubblewrap, _ = _engines()
    zygote.error = errors.StartFailed("hung")

    async def scene() -> list[str]:
        engine = _over(zygote, bubblewrap)
        return [(await engine.create(SandboxSpec())).engine for _ in range(MOST_FAILURES + 3)]

    assert asyncio.run(scene()) == ["bubblewrap"] * (MOST_FAILURES + 3)
    assert zygote.asked == MOST_FAILURES


def test_resting_is_no_reason_to_refuse() -> None:
    _, bubblewrap, _ = _engines()

    async def scene() -> str:
        engine = _over(bubblewrap)
        bubblewrap.error = errors.StartFailed("no")
        for _ in range(MOST_FAILURES):
            with pytest.raises(errors.StartFailed):
                await engine.create(SandboxSpec())
        bubblewrap.error = None
        return (await engine.create(SandboxSpec())).engine

    assert asyncio.run(scene()) == "bubblewrap"


def test_probing_tells_of_the_engine_that_serves_by_default() -> None:
    zygote, bubblewrap, process = _engines()
    zygote.error = errors.StartFailed("no")
    found = asyncio.run(_over(process, zygote, bubblewrap).probe())
    assert (found.engine, found.works) == ("bubblewrap", True)


def test_closing_closes_those_that_were_made_and_no_other() -> None:
    zygote, bubblewrap, _ = _engines()

    async def scene() -> int:
        engine = _over(zygote, bubblewrap)
        await engine.create(SandboxSpec())
        swept = await engine.sweep()
        await engine.close()
        return swept

    assert asyncio.run(scene()) == 1
    assert (zygote.closed, bubblewrap.closed) == (True, False)
