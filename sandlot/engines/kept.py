"""What engines share whose boxes the keeper starts by a command line: the blueprint, the greeting."""

from __future__ import annotations

import asyncio
import functools
import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from sandlot.contracts.errors import BoxDied, StartFailed
from sandlot.contracts.spec import SandboxSpec, WorkspaceKind
from sandlot.keeper.client import KeptBox
from sandlot.keeper.launch import KeptMount, Launch, Powers
from sandlot.link.agentbox import AgentBox, BoxFacts
from sandlot.link.calls import Patience
from sandlot.link.channel import PipeChannel, open_pipes
from sandlot.walls import landlock
from sandlot.walls.plan import INNER, Plan

from .keeping import START_DEADLINE, KeeperEngine, KeptLife, nothing

_DISK_PATIENCE = 35.0  # seconds; the keeper waits 30 s for the disk, then tells that a box is stuck


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
    clear: Callable[[], None] = nothing


class KeptEngine(KeeperEngine):
    """Boxes that the keeper starts by a command line; a subclass says which."""

    @abstractmethod
    def blueprint(self, spec: SandboxSpec, powers: Powers) -> Blueprint:
        """How a box for *spec* is built; may be slow the first time, and runs in a thread of its own.

        Raises Unsupported, InvalidSpec, NotFound, EngineUnavailable.
        """

    async def _make(self, spec: SandboxSpec) -> tuple[AgentBox, KeptBox]:
        keeper = await self._able_keeper()
        blueprint = await asyncio.to_thread(self.blueprint, spec, keeper.powers)
        await self._make_workspace(spec, keeper)
        channel, kept = await self._started(blueprint)
        inside = blueprint.describe(kept.number)
        life = KeptLife(kept, self.launcher, blueprint.clear)
        plan = inside.plan.to_json()
        box = await AgentBox.connect(channel, life, inside.facts, plan, within=START_DEADLINE)
        self._hold(box, kept)
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


@functools.cache
def missing_walls() -> frozenset[str]:
    """The inner walls that this kernel has not got and namespaces can do without: `enforced` tells of it."""
    # Landlock is a second lock there, for the namespaces hold the same.
    try:
        landlock.abi()
    except OSError:
        return frozenset({"landlock"})
    return frozenset()


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
