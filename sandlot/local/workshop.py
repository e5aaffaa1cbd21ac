"""Boxes for building environments: what `environments.build` is lent."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import Unsupported
from sandlot.contracts.events import Event, Stderr, Stdout
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.quantity import Bytes
from sandlot.contracts.result import Result
from sandlot.contracts.spec import Isolation, Limits, SandboxSpec
from sandlot.contracts.streams import ended
from sandlot.trees import pack
from sandlot.trees.unpack import unpack

from .service import LocalService, told

_MOST_DISK = 16 * 2**30
_FOR_PROGRAMS = 2 * 2**30
_INODES = 1_000_000


class LocalWorkshop:
    """Implements environments.build.Workshop over a LocalService.

    Builds ask for a boundary (NAMESPACE or higher) whatever the settings say: they fetch from a network.
    """

    def __init__(self, service: LocalService) -> None:
        """Lend boxes of *service*."""
        self._service = service

    @asynccontextmanager
    async def open(self, spec: SandboxSpec, *, roomy: bool) -> AsyncIterator[LocalBuildBox]:
        spec = replace(spec, isolation=Isolation.NAMESPACE)
        async with self._service.box(spec) if not roomy else self._roomy(spec) as box:
            yield LocalBuildBox(box)

    @asynccontextmanager
    async def _roomy(self, spec: SandboxSpec) -> AsyncIterator[Box]:
        # The workspace is memory (a tmpfs), so it is bounded by half of what the machine has.
        disk = min(_MOST_DISK, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
        limits = Limits(disk=Bytes(disk), inodes=_INODES, memory=Bytes(disk + _FOR_PROGRAMS), pids=512)
        try:
            box = await self._service.make(replace(spec, limits=limits))
        except Unsupported:  # no control groups here: nothing of the caller's is dropped, these were ours
            limits = Limits(disk=Bytes(disk), inodes=_INODES)
            box = await self._service.make(replace(spec, limits=limits))
        try:
            yield box
        finally:
            await box.close()


class LocalBuildBox:
    """Implements environments.build.BuildBox over a Box."""

    def __init__(self, box: Box) -> None:
        """Build in *box*."""
        self._box = box

    async def put(self, folder: PurePosixPath, files: Mapping[str, bytes]) -> None:
        below = folder.relative_to(WORKSPACE)
        named = {str(below / name): content for name, content in files.items()}
        await self._box.put(WORKSPACE, pack.once(pack.packed(named, WORKSPACE)))

    async def run(self, command: Command, line: Callable[[str], None]) -> Result:
        events: list[Event] = []
        lines = _Lines(line)
        async with ended(self._box.run(command)) as stream:
            async for event in stream:
                if isinstance(event, (Stdout, Stderr)):
                    lines.feed(event)
                else:
                    events.append(event)
        lines.finish()
        return told(self._box, events)

    async def fetch(self, folder: PurePosixPath, into: Path) -> None:
        async with ended(self._box.get(folder)) as tar:
            await unpack(tar, into, shared=True)


class _Lines:
    """Turns output as it comes into lines of text."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._begun: dict[type, bytes] = {Stdout: b"", Stderr: b""}

    def feed(self, event: Stdout | Stderr) -> None:
        *complete, self._begun[type(event)] = (self._begun[type(event)] + event.data).split(b"\n")
        for raw in complete:
            self._line(raw.decode("utf-8", "replace").rstrip("\r"))

    def finish(self) -> None:
        for raw in self._begun.values():
            if raw:
                self._line(raw.decode("utf-8", "replace"))
