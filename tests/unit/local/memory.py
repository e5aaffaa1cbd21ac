"""An engine whose boxes are a dictionary: what the rooms above engines need to be tried without walls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import PurePosixPath

from sandlot.contracts.capability import Feature, Viability
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import NotFound, StartFailed
from sandlot.contracts.events import Event, Exited, Reason, Started, Stderr, Stdout
from sandlot.contracts.spec import Isolation, SandboxSpec
from sandlot.wire.archive import ArchiveReader, ArchiveWriter, Chunk, Member, MemberKind


class MemoryBox:
    """Runs no program: `echo` writes its words, `cat` its input, `fail` exits with 3, `hang` waits."""

    engine = "memory"
    isolation = Isolation.PROCESS
    enforced: tuple[str, ...] = ("nothing",)
    features = Feature.NOTHING
    failover: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.closed = 0
        self.killed = 0

    async def run(self, command: Command) -> AsyncIterator[Event]:
        word, *rest = command.argv or ("echo", command.code or "")
        yield Started("1")
        if word == "hang":
            try:
                await asyncio.Event().wait()
            finally:
                self.killed += 1
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

    async def close(self) -> None:
        self.closed += 1


class MemoryEngine:
    """Makes MemoryBoxes; *failing* of them do not start."""

    name = "memory"
    isolation = Isolation.PROCESS

    def __init__(self, failing: int = 0) -> None:
        self.boxes: list[MemoryBox] = []
        self.failing = failing
        self.closed = 0

    async def probe(self) -> Viability:
        return Viability(self.name, self.isolation)

    async def create(self, spec: SandboxSpec) -> Box:
        del spec
        await asyncio.sleep(0)
        if self.failing:
            self.failing -= 1
            raise StartFailed("not now")
        self.boxes.append(MemoryBox())
        return self.boxes[-1]

    async def sweep(self) -> int:
        return 0

    async def close(self) -> None:
        self.closed += 1
