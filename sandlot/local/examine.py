"""What the engines of this machine can do, proven one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandlot.contracts.capability import Viability
from sandlot.contracts.errors import EngineUnavailable
from sandlot.contracts.spec import SandboxSpec
from sandlot.engines import registry


@dataclass(frozen=True, slots=True)
class Examination:
    """Every engine's answer, and the name of the one that serves when nothing is asked."""

    engines: tuple[Viability, ...]
    default: str | None


async def examine(progress: Callable[[str], None]) -> Examination:
    """Probe every installed engine; *progress* hears which one is under way."""
    found: list[Viability] = []
    for offer in registry.offers():
        progress(f"trying engine {offer.name}")
        found.append(await registry.probe(offer))
    return Examination(tuple(found), _default(found))


def _default(found: list[Viability]) -> str | None:
    try:
        return registry.choose(SandboxSpec(), found)[0].engine
    except EngineUnavailable:
        return None
