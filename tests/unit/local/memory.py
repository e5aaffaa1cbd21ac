"""An engine whose boxes are a dictionary: what the rooms above engines need to be tried without walls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import PurePosixPath
from typing import Protocol

from sandlot.contracts.capability import Feature, Viability
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import Conflict, NotFound, StartFailed, Unsupported
from sandlot.contracts.events import Event, Exited, Reason, Started, Stderr, Stdout
from sandlot.contracts.lease import Ending, EndReason
from sandlot.contracts.spec import Isolation, SandboxSpec, WorkspaceKind
from sandlot.wire.archive import ArchiveReader, ArchiveWriter, Chunk, Member, MemberKind


class MemoryBox:
    """Runs no program: `echo` writes its words, `cat` its input, `fail` exits with 3, `hang` waits."""

    engine = "memory"
    isolation = Isolation.PROCESS
    enforced: tuple[str, ...] = ("nothing",)
    features = Feature.NOTHING
    failover: tuple[str, ...] = ()

    def __init__(self, spec: SandboxSpec | None = None) -> None:
        self.spec = spec or SandboxSpec()
        self.files: dict[str, bytes] = {}
        self.closed = 0
        self.killed = 0
        self.ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    async def run(self, command: Command) -> AsyncIterator[Event]:
        word, *rest = command.argv or ("echo", command.code or "")
        if word == "hang":
            try:
                yield Started("1")
                await asyncio.shield(self.ending)
            finally:
                self.killed += 1
            yield Exited(Reason.BOX_DIED, 125, who="agent")
            return
        yield Started("1")
        if word == "cat":
            yield Stdout(b"".join([data async for data in command.input()]))
        elif word == "echo":
            yield Stdout(" ".join(rest).encode())
        else:
            yield Stderr(b"failed\n")
        yield Exited(Reason.EXITED, 3 if word == "fail" else 0)

    async def put(self, path: PurePosixPath, tar: AsyncIterable[bytes]) -> None:
        reader = ArchiveReader()
        name = ""
        async for data in tar:
            for event in reader.feed(data):
                if isinstance(event, Member):
                    name = str(path / event.name)
                    if event.kind == MemberKind.FILE:
                        self.files[name] = b""
                elif isinstance(event, Chunk):
                    self.files[name] += event.data
        reader.finish()

    async def get(self, path: PurePosixPath) -> AsyncIterator[bytes]:
        writer = ArchiveWriter()
        found = {name: data for name, data in self.files.items() if name.startswith(f"{path}/")}
        if not found:
            raise NotFound(f"no {path}")
        for name, data in found.items():
            member = Member(str(PurePosixPath(name).relative_to(path)), MemberKind.FILE, len(data))
            yield writer.member(member) + writer.data(data) + writer.end_member()
        yield writer.finish()

    async def ended(self) -> Ending:
        return await asyncio.shield(self.ending)

    async def close(self) -> None:
        self.closed += 1
        self.die(EndReason.KILLED)

    def die(self, reason: EndReason, detail: str = "agent: killed by SIGKILL") -> None:
        if not self.ending.done():
            self.ending.set_result(Ending(reason, 0.0, detail))


class Store(Protocol):
    """Where workspaces are made."""

    def create(self, name: str, kind: WorkspaceKind, size: int, inodes: int) -> object:
        """Make one."""


class MemoryEngine:
    """Makes MemoryBoxes; *failing* of them do not start, and none while `open` is not set.

    The next `busy` workspaces are still another box's, and workspaces of the kinds `refused` are none.
    """

    name = "memory"
    isolation = Isolation.PROCESS

    def __init__(self, failing: int = 0, store: Store | None = None) -> None:
        """New workspaces are made in *store*."""
        self.boxes: list[MemoryBox] = []
        self.store = store
        self.failing = failing
        self.busy = 0
        self.refused: tuple[WorkspaceKind, ...] = ()
        self.tried = 0
        self.swept = 0
        self.closed = 0
        self.open = asyncio.Event()
        self.open.set()

    @property
    def living(self) -> list[MemoryBox]:
        return [box for box in self.boxes if not box.closed]

    async def probe(self) -> Viability:
        return Viability(self.name, self.isolation)

    async def create(self, spec: SandboxSpec) -> Box:
        self.tried += 1
        await asyncio.sleep(0)
        wanted = spec.workspace
        if wanted is not None and wanted.blank is not None and self.store is not None:
            self.store.create(wanted.name, wanted.kind, wanted.blank.size, wanted.blank.inodes)
        await self.open.wait()
        if self.failing:
            self.failing -= 1
            raise StartFailed("not now")
        if spec.workspace is not None and self.busy:
            self.busy -= 1
            raise Conflict("another box has it")
        if spec.workspace is not None and spec.workspace.kind in self.refused:
            raise Unsupported(f"no workspace of kind {spec.workspace.kind.value} here")
        self.boxes.append(MemoryBox(spec))
        return self.boxes[-1]

    async def sweep(self) -> int:
        self.swept += 1
        return 0

    async def close(self) -> None:
        self.closed += 1
