"""Engines by name, through the same door as everybody: the entry points `sandlot.engines`."""

from __future__ import annotations

from importlib import metadata
from typing import Any, FrozenSet, Iterator

from sandlot.contracts.engine import Engine
from sandlot.contracts.errors import EngineUnavailable, Unsupported

GROUP = "sandlot.engines"


def names() -> tuple[str, ...]:
    """The names of every installed engine, whether it works here or not."""
    return tuple(sorted({point.name for point in _points()}))


def make_engine(name: str, without: FrozenSet[str] = frozenset()) -> Engine:
    """A new engine called *name* that leaves out the walls *without*.

    Raises EngineUnavailable for an unknown name, Unsupported when the engine cannot leave walls out.
    """
    for point in _points():
        if point.name == name:
            return _construct(name, point.load(), without)
    raise EngineUnavailable(
        f"no engine {name!r} is installed: the entry points {GROUP} name {', '.join(names())}"
    )


def _construct(name: str, factory: Any, without: FrozenSet[str]) -> Engine:
    if not without:
        engine: Engine = factory()
        return engine
    try:
        engine = factory(without=without)
    except TypeError as error:
        raise Unsupported(
            f"engine {name} cannot leave walls out ({error}): give it a keyword `without`"
        ) from error
    return engine


def _points() -> Iterator[metadata.EntryPoint]:
    # entry_points(group=) came with Python 3.10; select() of the plain call exists since then too.
    found: Any = metadata.entry_points()
    points = found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, ())
    return iter(points)
