"""What engines share whose boxes stand on a keeper: one keeper each, the probe, the end."""

from __future__ import annotations

import asyncio
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from sandlot.contracts.capability import Feature, Viability
from sandlot.contracts.errors import Conflict, EngineUnavailable, SandlotError, Unsupported
from sandlot.contracts.spec import Isolation, SandboxSpec
from sandlot.keeper.client import Keeper, KeptBox
from sandlot.keeper.launch import Consumption, Exit, Powers
from sandlot.link.agentbox import AgentBox
from sandlot.link.life import Death, Usage, Who
from sandlot.trees.descriptors import finished

from . import proof

if TYPE_CHECKING:
    from sandlot.keeper.storage import WorkspaceStore

START_DEADLINE = 10.0
"""Seconds a box has from the moment it runs until its agent has answered."""


def nothing() -> None:
    """The keeper clears everything away."""


class KeeperEngine(ABC):
    """The four verbs of contracts.engine.Engine; a subclass says how one box comes to be."""

    name: str
    isolation: Isolation
    launcher: Who = "agent"
    lacks: Feature = Feature.NOTHING
    """What it never offers, whatever the machine."""
    removable: frozenset[str] = frozenset()
    """The walls it can be made without."""
    remedy: str = ""
    """What to do when its boxes do not start."""

    def __init__(self, *, without: frozenset[str] = frozenset()) -> None:
        """An engine that starts nothing before it is asked; *without* leaves walls out, for tests only."""
        if unknown := without - self.removable:
            raise Unsupported(
                f"engine {self.name} cannot leave out {', '.join(sorted(unknown))}: "
                f"it can leave out {', '.join(sorted(self.removable))}"
            )
        self.without = without
        self._keeper: Keeper | None = None
        self._boxes: set[AgentBox] = set()
        self._starting = asyncio.Lock()
        self._is_closed = False
        self._store: WorkspaceStore | None = None

    @abstractmethod
    def obstacle(self) -> tuple[str, str] | None:
        """Why it cannot work here and what to do about it, as far as that shows without trying."""

    @abstractmethod
    async def _make(self, spec: SandboxSpec) -> tuple[AgentBox, KeptBox]:
        """One box, and the keeper's hold on it. Raises the kinds of Engine.create."""

    async def create(self, spec: SandboxSpec) -> AgentBox:
        box, _ = await self._make(spec)
        return box

    async def probe(self) -> Viability:
        if obstacle := self.obstacle():
            return proof.failure(self.name, self.isolation, *obstacle)
        return await proof.probe(self.name, self.isolation, self._trial, self.remedy)

    async def sweep(self) -> int:
        return await (await self._running_keeper()).sweep()

    async def close(self) -> None:
        self._is_closed = True
        try:
            await asyncio.gather(*(box.close() for box in tuple(self._boxes)))
        finally:
            # A box that will not go must not keep the keeper; one that is being started has to go as well.
            async with self._starting:
                if self._keeper is not None:
                    await self._keeper.close()

    @asynccontextmanager
    async def _trial(self) -> AsyncIterator[tuple[AgentBox, Consumption]]:
        box, kept = await self._make(SandboxSpec())
        try:
            yield box, await kept.consumption()
        finally:
            await box.close()

    async def _able_keeper(self) -> Keeper:
        """The running keeper, where it can give boxes a user. Raises EngineUnavailable."""
        if obstacle := self.obstacle():
            raise EngineUnavailable(": ".join(obstacle))
        keeper = await self._running_keeper()
        refuse_helpless_root(keeper.powers)
        return keeper

    async def _make_workspace(self, spec: SandboxSpec, keeper: Keeper) -> None:
        """Make the workspace of *spec*, if that is to come with its box. Raises as WorkspaceStore.create."""
        wanted = spec.workspace
        if wanted is None or wanted.blank is None:
            return
        store = await self._kept_in(keeper)
        with suppress(Conflict):  # left by an attempt that failed
            await finished(store.create, wanted.name, wanted.kind, wanted.blank.size, wanted.blank.inodes)

    async def _kept_in(self, keeper: Keeper) -> WorkspaceStore:
        """The workspaces that *keeper* mounts."""
        from sandlot.keeper.storage import WorkspaceStore  # 10 ms that a single run would wait for

        if self._store is None:
            self._store = await asyncio.to_thread(WorkspaceStore, keeper.store)
        return self._store

    def _hold(self, box: AgentBox, kept: KeptBox) -> None:
        """End it with the engine."""
        self._boxes.add(box)
        kept.when_ended(lambda: self._boxes.discard(box))

    async def _running_keeper(self) -> Keeper:
        async with self._starting:
            if self._is_closed:
                raise EngineUnavailable(f"engine {self.name} was closed: make a new one")
            if self._keeper is not None and not self._keeper.is_alive:
                dead, self._keeper = self._keeper, None
                await dead.close()
            if self._keeper is None:
                self._keeper = await Keeper.start()
            return self._keeper

    async def _drop(self, keeper: Keeper) -> None:
        if self._keeper is keeper:
            self._keeper = None
        await keeper.close()


class KeptLife:
    """link.life.Life for a box of the keeper."""

    def __init__(self, kept: KeptBox, launcher: Who, clear: Callable[[], None] = nothing) -> None:
        """*launcher* is what the box's first process is; *clear* is called after its end."""
        self._kept, self._launcher, self._clear = kept, launcher, clear
        self._last = Usage()

    async def kill(self) -> None:
        await self._kept.kill()
        if self._clear is not nothing:
            await asyncio.to_thread(self._clear)

    async def ended(self) -> Death:
        return death_of(await self._kept.exit, self._launcher)

    def counted(self) -> Usage | None:
        told = self._kept.ending or self._kept.counted()
        if told is None:
            return None
        self._last = _usage(told)
        return self._last

    async def usage(self) -> Usage:
        if self.counted() is None:
            try:
                self._last = _usage(await self._kept.consumption())
            except SandlotError:  # the keeper is gone, and nobody counts any more
                return self._last
            self.counted()  # it may have ended meanwhile
        return self._last


def death_of(told: Exit, launcher: Who) -> Death:
    """Who died first, from what the keeper saw of a box's first process (pure)."""
    usage = _usage(told)
    if told.cause == "keeper_died":
        return Death("keeper", "the keeper ended", usage)
    if told.cause == "warden_died":
        return Death("keeper", "the warden of its zygote ended", usage)
    if told.cause == "killed":
        return Death("host", "killed on request", usage)
    number, code = told.wait_status & 0x7F, told.wait_status >> 8
    if number:
        return Death(launcher, f"killed by {_signal(number)}", usage)
    # bubblewrap passes on how its child ended as a shell does: 128 + signal.
    if launcher == "launcher" and code > 128:
        return Death("agent", f"killed by {_signal(code - 128)}", usage)
    return Death("agent", f"exited with code {code}", usage)


def refuse_helpless_root(powers: Powers) -> None:
    """Raise EngineUnavailable where boxes would run as root."""
    if os.geteuid() == 0 and not powers.uid_switch:
        why = "; ".join(powers.missing) or "it may not change uids"
        raise EngineUnavailable(
            f"no box runs as root, and this root has no other uid to give ({why}): run as an ordinary user"
        )


def _usage(told: Exit | Consumption) -> Usage:
    return Usage(told.oom_kills or 0, told.memory_peak or 0, told.cpu_seconds or 0.0)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
