"""The engine `remote` serves who names it, and nobody else."""

from __future__ import annotations

import asyncio

import pytest

from sandlot.contracts.capability import Feature, Viability
from sandlot.contracts.errors import EngineUnavailable, StartFailed
from sandlot.contracts.spec import Isolation, SandboxSpec
from sandlot.engines import registry
from sandlot.engines.failover import FailoverEngine
from sandlot.engines.registry import choose, ranking
from sandlot.engines.remote.engine import RemoteEngine
from tests.unit.engines.memory import MemoryEngine

LEVELS = {"remote": Isolation.PROCESS, "process": Isolation.PROCESS, "bubblewrap": Isolation.NAMESPACE}


@pytest.mark.parametrize("level", [None, *Isolation])
def test_whoever_names_it_gets_it_or_nothing(level: Isolation | None) -> None:
    assert ranking(SandboxSpec(engine="remote", isolation=level), LEVELS) == ("remote",)


@pytest.mark.parametrize(
    ("spec", "order"),
    [
        (SandboxSpec(), ("bubblewrap",)),
        (SandboxSpec(isolation=Isolation.PROCESS), ("process", "bubblewrap")),
        (SandboxSpec(engine="process"), ("process", "bubblewrap")),
    ],
)
def test_nothing_is_sent_there_unasked(spec: SandboxSpec, order: tuple[str, ...]) -> None:
    assert ranking(spec, LEVELS) == order


def test_a_strong_server_is_no_default() -> None:
    found = Viability("remote", Isolation.VM, ("kvm",), Feature.FILES)
    with pytest.raises(EngineUnavailable):
        choose(SandboxSpec(), [found])
    assert choose(SandboxSpec(engine="remote", isolation=Isolation.VM), [found]) == (found,)


def test_an_engine_here_never_stands_in_for_it() -> None:
    far, near = MemoryEngine("remote", Isolation.PROCESS), MemoryEngine("process", Isolation.PROCESS)
    far.error = StartFailed("not today")
    engines = {each.name: (each.isolation, lambda each=each: each) for each in (far, near)}
    with pytest.raises(StartFailed, match="not today"):
        asyncio.run(FailoverEngine(engines).create(SandboxSpec(engine="remote")))
    assert near.asked == 0


def test_it_comes_through_the_door() -> None:
    [offer] = [each for each in registry.offers() if each.name == "remote"]
    assert (offer.isolation, offer.make) == (Isolation.PROCESS, RemoteEngine)


def test_without_a_server_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SANDLOT_URL", "NOXRUNNER_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")
    found = asyncio.run(RemoteEngine().probe())
    assert (found.works, found.isolation) == (False, Isolation.PROCESS)
    assert found.cause is not None
    assert "server" in found.cause
    assert found.remedy is not None
    assert "SANDLOT_URL" in found.remedy
    with pytest.raises(EngineUnavailable, match="SANDLOT_URL"):
        asyncio.run(RemoteEngine().create(SandboxSpec()))


def test_a_server_that_is_not_there_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDLOT_URL", "http://127.0.0.1:1")
    found = asyncio.run(RemoteEngine().probe())
    assert not found.works
    assert found.cause is not None
    assert "127.0.0.1:1" in found.cause
