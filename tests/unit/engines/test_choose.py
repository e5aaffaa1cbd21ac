from __future__ import annotations

import pytest

from sandlot.contracts.capability import Feature, Viability
from sandlot.contracts.errors import EngineUnavailable, InvalidSpec, SandlotError, Unsupported
from sandlot.contracts.quantity import Bytes
from sandlot.contracts.spec import Isolation, Limits, Network, SandboxSpec
from sandlot.engines import registry
from sandlot.engines.registry import choose, ranking

LEVELS = {
    "process": Isolation.PROCESS,
    "bubblewrap": Isolation.NAMESPACE,
    "zygote": Isolation.NAMESPACE,
    "gvisor": Isolation.USERKERNEL,
    "homegrown": Isolation.VM,
}


@pytest.mark.parametrize(
    ("spec", "order"),
    [
        (SandboxSpec(), ("zygote", "bubblewrap", "gvisor", "homegrown")),
        (
            SandboxSpec(isolation=Isolation.PROCESS),
            ("zygote", "process", "bubblewrap", "gvisor", "homegrown"),
        ),
        (SandboxSpec(isolation=Isolation.USERKERNEL), ("gvisor", "homegrown")),
        (SandboxSpec(engine="bubblewrap"), ("bubblewrap", "zygote", "gvisor", "homegrown")),
        (SandboxSpec(engine="gvisor"), ("gvisor", "homegrown")),
        (SandboxSpec(engine="process"), ("process", "zygote", "bubblewrap", "gvisor", "homegrown")),
        (SandboxSpec(engine="gvisor", isolation=Isolation.NAMESPACE), ("gvisor", "homegrown")),
    ],
)
def test_the_fastest_at_or_above_the_floor_comes_first(spec: SandboxSpec, order: tuple[str, ...]) -> None:
    assert ranking(spec, LEVELS) == order


@pytest.mark.parametrize(
    ("spec", "levels", "error"),
    [
        (SandboxSpec(engine="process", isolation=Isolation.NAMESPACE), LEVELS, InvalidSpec),
        (SandboxSpec(engine="nobody"), LEVELS, Unsupported),
        (SandboxSpec(), {"process": Isolation.PROCESS}, EngineUnavailable),
        (SandboxSpec(isolation=Isolation.VM), {"bubblewrap": Isolation.NAMESPACE}, Unsupported),
        (SandboxSpec(), {}, EngineUnavailable),
    ],
)
def test_nothing_below_the_floor_ever_serves(
    spec: SandboxSpec, levels: dict[str, Isolation], error: type[SandlotError]
) -> None:
    with pytest.raises(error):
        ranking(spec, levels)


def _works(name: str, features: Feature = Feature.FILES) -> Viability:
    return Viability(name, LEVELS[name], ("seccomp",), features)


def _broken(name: str) -> Viability:
    return Viability(name, LEVELS[name], cause=f"{name} is broken", remedy=f"repair {name}")


def _names(spec: SandboxSpec, *found: Viability) -> tuple[str, ...]:
    return tuple(each.engine for each in choose(spec, found))


def test_an_engine_that_does_not_work_is_passed_over_for_one_of_the_same_level() -> None:
    assert _names(SandboxSpec(), _broken("zygote"), _works("bubblewrap"), _works("process")) == (
        "bubblewrap",
    )


def test_a_machine_without_an_engine_of_the_level_refuses_and_tells_the_remedy() -> None:
    with pytest.raises(EngineUnavailable, match=r"bubblewrap is broken \(repair bubblewrap"):
        choose(SandboxSpec(), [_broken("bubblewrap"), _works("process")])


def test_a_named_engine_that_does_not_work_is_refused() -> None:
    with pytest.raises(EngineUnavailable, match="zygote is broken"):
        choose(SandboxSpec(engine="zygote"), [_broken("zygote"), _works("bubblewrap")])


def test_what_was_asked_for_decides_among_those_that_work() -> None:
    spec = SandboxSpec(limits=Limits(memory=Bytes(2**30)))
    able = _works("bubblewrap", Feature.LIMIT_MEMORY)
    assert _names(spec, _works("zygote"), able) == ("bubblewrap",)


def test_what_nobody_can_enforce_is_refused() -> None:
    with pytest.raises(Unsupported, match="network_full"):
        choose(SandboxSpec(network=Network.FULL), [_works("bubblewrap")])


def test_the_built_in_engines_come_through_the_door() -> None:
    offered = {offer.name: offer for offer in registry.offers()}
    assert {"bubblewrap", "process"} <= offered.keys()
    assert offered["bubblewrap"].isolation is Isolation.NAMESPACE
    assert [offer.cause for offer in offered.values()] == [None] * len(offered)


def test_an_engine_nobody_installed_is_refused_with_what_there_is() -> None:
    with pytest.raises(EngineUnavailable, match="bubblewrap"):
        registry.make("imaginary")


def test_an_engine_that_cannot_be_loaded_is_listed_with_its_cause() -> None:
    offer = registry.load("broken", "sandlot.engines.missing:Engine")
    assert offer.make is None
    assert offer.cause is not None
    assert "sandlot.engines.missing" in offer.cause
