"""What engines share whose boxes the keeper starts: one keeper each, the greeting, the probe, the end."""

from __future__ import annotations

import asyncio
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass

from sandlot.contracts.capability import Viability
from sandlot.contracts.errors import BoxDied, EngineUnavailable, SandlotError, StartFailed, Unsupported
from sandlot.contracts.spec import Isolation, SandboxSpec, WorkspaceKind
from sandlot.keeper.client import Keeper, KeptBox
from sandlot.keeper.launch import Consumption, Exit, KeptMount, Launch, Powers
from sandlot.link.agentbox import AgentBox, BoxFacts
from sandlot.link.calls import Patience
from sandlot.link.channel import PipeChannel, open_pipes
from sandlot.link.life import Death, Usage, Who
from sandlot.walls.plan import INNER, Plan

from . import proof

_DISK_PATIENCE = 35.0  # seconds; the keeper waits 30 s for the disk, then tells that a box is stuck

START_DEADLINE = 10.0
"""Seconds a box has from the moment it runs until its agent has answered."""


def _nothing() -> None:
    """The keeper clears everything away."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What is known of a started box, and what its agent is told to put up."""

    facts: BoxFacts
    plan: Plan


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One box to be: what the keeper starts, and what is said of it once it runs.

    `describe` gets the number of the keeper's box. `files` are contents; the box gets a descriptor for each,
    from 3 on. `clear` takes away, after the box's end, what the keeper does not; it may be slow and is called
    again.
    """

    launch: Launch
    describe: Callable[[int], Inside]
    files: tuple[str, ...] = ()
    clear: Callable[[], None] = _nothing


class KeptEngine(ABC):
    """The four verbs of contracts.engine.Engine; a subclass says how one box is built."""

    name: str
    isolation: Isolation
    launcher: Who = "agent"
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

    @abstractmethod
    def obstacle(self) -> tuple[str, str] | None:
        """Why it cannot work here and what to do about it, as far as that shows without trying."""

    @abstractmethod
    def blueprint(self, spec: SandboxSpec, powers: Powers) -> Blueprint:
        """How a box for *spec* is built; may be slow the first time, and runs in a thread of its own.

        Raises Unsupported, InvalidSpec, NotFound, EngineUnavailable.
        """

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

    async def _make(self, spec: SandboxSpec) -> tuple[AgentBox, KeptBox]:
        if obstacle := self.obstacle():
            raise EngineUnavailable(": ".join(obstacle))
        keeper = await self._running_keeper()
        _refuse_helpless_root(keeper.powers)
        blueprint = await asyncio.to_thread(self.blueprint, spec, keeper.powers)
        channel, kept = await self._started(blueprint)
        inside = blueprint.describe(kept.number)
        life = KeptLife(kept, self.launcher, blueprint.clear)
        plan = inside.plan.to_json()
        box = await AgentBox.connect(channel, life, inside.facts, plan, within=START_DEADLINE)
        self._boxes.add(box)
        kept.exit.add_done_callback(lambda _: self._boxes.discard(box))
        return box, kept

    async def _started(self, blueprint: Blueprint) -> tuple[PipeChannel, KeptBox]:
        with ExitStack() as given, ExitStack() as undone:
            try:
                descriptors = [given.enter_context(_memory_file(content)) for content in blueprint.files]
                channel, ends = open_pipes()
                given.enter_context(closing(ends))
                undone.callback(channel.close)
                kept = await self._spawn(blueprint.launch, (*ends.descriptors, *descriptors))
            except OSError as error:
                raise StartFailed(f"no descriptors are left for a box ({error}): end some boxes") from error
            undone.pop_all()
        return channel, kept

    async def _spawn(self, launch: Launch, descriptors: tuple[int, ...]) -> KeptBox:
        keeper = await self._running_keeper()
        try:
            return await keeper.spawn(launch, descriptors)
        except BoxDied:
            # The keeper is gone and all its boxes with it: another one is the whole repair.
            await self._drop(keeper)
            return await (await self._running_keeper()).spawn(launch, descriptors)

    async def _running_keeper(self) -> Keeper:
        async with self._starting:
            if self._is_closed:
                raise EngineUnavailable(f"engine {self.name} was closed: make a new one")
            if self._keeper is None:
                self._keeper = await Keeper.start()
            return self._keeper

    async def _drop(self, keeper: Keeper) -> None:
        if self._keeper is keeper:
            self._keeper = None
        await keeper.close()


class KeptLife:
    """link.life.Life for a box of the keeper."""

    def __init__(self, kept: KeptBox, launcher: Who, clear: Callable[[], None]) -> None:
        """*launcher* is what the box's first process is; *clear* is called after its end."""
        self._kept, self._launcher, self._clear = kept, launcher, clear
        self._last = Usage()

    async def kill(self) -> None:
        await self._kept.kill()
        if self._clear is not _nothing:
            await asyncio.to_thread(self._clear)

    async def ended(self) -> Death:
        return death_of(await self._kept.exit, self._launcher)

    async def usage(self) -> Usage:
        ending = self._kept.exit
        if not ending.done():
            try:
                self._last = _usage(await self._kept.consumption())
            except SandlotError:
                return self._last  # the keeper is gone, and nobody counts any more
        if ending.done():
            self._last = _usage(ending.result())
        return self._last


def death_of(told: Exit, launcher: Who) -> Death:
    """Who died first, from what the keeper saw of a box's first process (pure)."""
    usage = _usage(told)
    if told.cause == "keeper_died":
        return Death("keeper", "the keeper ended", usage)
    if told.cause == "killed":
        return Death("host", "killed on request", usage)
    number, code = told.wait_status & 0x7F, told.wait_status >> 8
    if number:
        return Death(launcher, f"killed by {_signal(number)}", usage)
    # bubblewrap passes on how its child ended as a shell does: 128 + signal.
    if launcher == "launcher" and code > 128:
        return Death("agent", f"killed by {_signal(code - 128)}", usage)
    return Death("agent", f"exited with code {code}", usage)


def _refuse_helpless_root(powers: Powers) -> None:
    if os.geteuid() == 0 and not powers.uid_switch:
        why = "; ".join(powers.missing) or "it may not change uids"
        raise EngineUnavailable(
            f"no box runs as root, and this root has no other uid to give ({why}): run as an ordinary user"
        )


def kept_mount(spec: SandboxSpec) -> KeptMount | None:
    """The kept workspace of *spec* as its keeper is told of it; None when there is none."""
    if spec.workspace is None:
        return None
    kind = spec.workspace.kind
    return KeptMount(spec.workspace.name, "image" if kind is WorkspaceKind.IMAGE else "directory")


def patience_for(spec: SandboxSpec) -> Patience:
    """How long a box with the workspace of *spec* may take to end: an image is written to the disk first."""
    is_image = spec.workspace is not None and spec.workspace.kind is WorkspaceKind.IMAGE
    return Patience(death=_DISK_PATIENCE) if is_image else Patience()


def inner_walls(without: frozenset[str]) -> tuple[str, ...]:
    """The walls the agent is told to put up."""
    return tuple(wall for wall in INNER if wall not in without)


@contextmanager
def _memory_file(content: str) -> Iterator[int]:
    """A descriptor at the start of a file in memory that holds *content*."""
    descriptor = os.memfd_create("file", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content.encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def _usage(told: Exit | Consumption) -> Usage:
    return Usage(told.oom_kills or 0, told.memory_peak or 0, told.cpu_seconds or 0.0)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
