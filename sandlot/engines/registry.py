"""Engines by name, built-in and foreign through one door, and which of them serves a spec.

The door is the entry point group `sandlot.engines`: a name and a class that is called without arguments.
An engine that cannot be loaded is listed with its cause, never passed over.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata

from sandlot.contracts.capability import Feature, Viability, require
from sandlot.contracts.engine import Engine
from sandlot.contracts.errors import EngineUnavailable, InvalidSpec, Unsupported
from sandlot.contracts.spec import Isolation, SandboxSpec

from .grants import wanted

GROUP = "sandlot.engines"
FASTEST_FIRST = (
    "zygote",
    "process",
    "bubblewrap",
    "container",
    "gvisor",
    "microvm",
    "microsandbox",
    "kubernetes",
    "remote",
)
"""The order in which engines of sufficient isolation are preferred; others follow by name."""

ALONE = frozenset({"remote"})
"""Engines that serve only who names them, and whom no other serves then.

How strong their boxes are is told by another machine once it is asked: nothing here can stand in for them,
and what is to run here is not sent there unasked.
"""

_DISTRIBUTION = "sandlot"
_FROM_SOURCE = {
    "bubblewrap": "sandlot.engines.bubblewrap.engine:BubblewrapEngine",
    "process": "sandlot.engines.process.engine:ProcessEngine",
    "remote": "sandlot.engines.remote.engine:RemoteEngine",
    "zygote": "sandlot.engines.zygote.engine:ZygoteEngine",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """An engine that may be made; `isolation` and `make` are None where it cannot be loaded, for `cause`.

    `parks` says that what is made is contracts.engine.Parking too; the class says so by `parks = True`.
    `lacks` are features it never offers, whatever the machine.
    """

    name: str
    isolation: Isolation | None
    make: Callable[..., Engine] | None
    cause: str | None = None
    parks: bool = False
    lacks: Feature = Feature.NOTHING


def offers() -> tuple[Offer, ...]:
    """Every installed engine, fastest first. Loads them, starts nothing."""
    found = [load(name, target) for name, target in _targets().items()]
    return tuple(sorted(found, key=lambda offer: _rank(offer.name)))


def make(name: str, *, without: frozenset[str] = frozenset()) -> Engine:
    """A new engine called *name*; *without* leaves walls out, for tests only.

    Raises EngineUnavailable for a name that is not installed or cannot be loaded.
    """
    known = {offer.name: offer for offer in offers()}
    if name not in known:
        raise EngineUnavailable(f"no engine {name!r} is installed: there are {', '.join(known) or 'none'}")
    offer = known[name]
    if offer.make is None:
        raise EngineUnavailable(f"engine {name} cannot be loaded: {offer.cause}")
    return offer.make(without=without) if without else offer.make()


async def probe(offer: Offer) -> Viability:
    """What the offered engine proves on this machine; never raises for one that does not work."""
    if offer.make is None:
        return Viability(
            offer.name,
            Isolation.PROCESS,
            cause=f"it cannot be loaded: {offer.cause}",
            remedy="install what it needs, or remove it",
        )
    engine = offer.make()
    try:
        return await engine.probe()
    finally:
        await engine.close()


def floor(spec: SandboxSpec, levels: dict[str, Isolation]) -> Isolation:
    """The weakest isolation that will do for *spec*; *levels* are those of the engines by name (pure).

    Raises Unsupported for an engine nobody has, InvalidSpec for one below the isolation asked; those of ALONE
    refuse that by themselves.
    """
    if spec.engine is None:
        return Isolation.NAMESPACE if spec.isolation is None else spec.isolation
    if spec.engine not in levels:
        raise Unsupported(f"no engine {spec.engine!r} is installed: there are {', '.join(levels) or 'none'}")
    level = levels[spec.engine]
    if spec.isolation is not None and spec.engine in ALONE:
        return spec.isolation
    if spec.isolation is not None and level < spec.isolation:
        raise InvalidSpec(
            f"engine {spec.engine} reaches isolation {level.name.lower()}, "
            f"below the {spec.isolation.name.lower()} asked: leave one of the two out"
        )
    return level


def ranking(spec: SandboxSpec, levels: dict[str, Isolation]) -> tuple[str, ...]:
    """The engines that may serve *spec*, in the order to try them: the named one, then the fastest (pure).

    Raises as `floor` does, Unsupported when none reaches what was asked, and EngineUnavailable when none
    reaches what is usual.
    """
    least = floor(spec, levels)
    if spec.engine is not None and spec.engine in ALONE:
        return (spec.engine,)
    enough = [name for name, level in levels.items() if level >= least and name not in ALONE]
    if not enough:
        kind = EngineUnavailable if spec.isolation is None else Unsupported
        raise kind(
            f"no installed engine reaches isolation {least.name.lower()}: sandlot doctor lists what there is"
        )
    return tuple(sorted(enough, key=lambda name: (name != spec.engine, *_rank(name))))


def choose(spec: SandboxSpec, viabilities: Sequence[Viability]) -> tuple[Viability, ...]:
    """Of the engines probed, those that work and can do what *spec* asks, in the order to try them (pure).

    The first is the default engine. Raises EngineUnavailable with every cause and remedy when none works,
    Unsupported when one works but none can enforce what was asked.
    """
    by_name = {found.engine: found for found in viabilities}
    order = [by_name[name] for name in ranking(spec, {name: by_name[name].isolation for name in by_name})]
    working = [found for found in order if found.works]
    if not working or (spec.engine is not None and not by_name[spec.engine].works):
        raise EngineUnavailable(_causes(order))
    able = [found for found in working if _missing(spec, found) == Feature.NOTHING]
    if not able:
        require(_missing(spec, working[0]), Feature.NOTHING, engine=working[0].engine)
        raise Unsupported(f"engine {working[0].engine} cannot do what was asked")
    return tuple(able)


def suffices(spec: SandboxSpec, lacks: Feature) -> bool:
    """Whether an engine that *lacks* these features may serve *spec*: it lacks none that was asked (pure)."""
    return not _asked(spec) & lacks


def _asked(spec: SandboxSpec) -> Feature:
    asked = Feature.NOTHING
    for feature in wanted(spec):
        asked |= feature
    return asked


def _missing(spec: SandboxSpec, found: Viability) -> Feature:
    return _asked(spec) & ~found.features


def _causes(found: Iterable[Viability]) -> str:
    lacking = [
        f"{each.engine}: {each.cause} ({each.remedy or 'see sandlot doctor'})" for each in found if each.cause
    ]
    return f"no engine that would do works here; {'; '.join(lacking)}"


def _rank(name: str) -> tuple[int, str]:
    return (FASTEST_FIRST.index(name) if name in FASTEST_FIRST else len(FASTEST_FIRST), name)


def _targets() -> dict[str, str]:
    found = {point.name: point.value for point in metadata.entry_points(group=GROUP)}
    try:
        metadata.distribution(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        # Imported from a source tree that was never installed: nothing registered the built-in ones.
        return {**_FROM_SOURCE, **found}
    return found


def load(name: str, target: str) -> Offer:
    """The engine at *target* (`module:class`), or why it cannot be loaded."""
    module, _, attribute = target.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
        parks, lacks = getattr(factory, "parks", False), getattr(factory, "lacks", Feature.NOTHING)
        return Offer(name, Isolation(factory.isolation), factory, parks=parks, lacks=lacks)
    except (ImportError, AttributeError, ValueError) as error:
        return Offer(name, None, None, f"{type(error).__name__}: {error}")
