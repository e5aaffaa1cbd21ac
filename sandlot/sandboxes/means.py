"""Means: what every sandbox works with, as values to be lent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sandlot.contracts.engine import Engine
from sandlot.contracts.spec import SandboxSpec, WorkspaceKind

from .census import Tally
from .gate import Gate
from .record import Record
from .registry import Registry
from .shared import finished

Clock = Callable[[], float]
"""Seconds since the epoch."""


class WorkspaceStore(Protocol):
    """The workspaces that engines made on disk, by name. Its methods are slow: they are called in threads."""

    def kinds(self) -> Mapping[WorkspaceKind, str | None]:
        """What workspaces can lie on here: None for what was proven, else why it does not work."""

    def remove(self, name: str, /) -> object:
        """Remove it and all it holds; an unknown one is no error."""

    def names(self) -> Collection[str]:
        """Those there are."""

    def sweep(self) -> object:
        """Finish what a crash cut short."""


@dataclass(frozen=True, slots=True)
class Means:
    """What is lent.

    `admit` raises for a spec that may not be started. `swept` is set once what a killed predecessor left is
    gone; no kept workspace is used before.
    """

    engine: Engine
    registry: Registry
    store: WorkspaceStore | None
    starts: Gate
    clock: Clock
    admit: Callable[[SandboxSpec], object]
    tally: Tally = field(default_factory=Tally)
    swept: asyncio.Event = field(default_factory=asyncio.Event)

    async def clear(self, record: Record) -> None:
        """Remove the workspace of *record*, when it was one to be kept."""
        if record.is_durable and self.store is not None:
            await finished(self.store.remove, record.key)
