"""Engines without boxes worth the name: what choosing and failing over need to be tried."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from pathlib import PurePosixPath

from sandlot.contracts.capability import Feature, Viability
from sandlot.contracts.command import Command
from sandlot.contracts.errors import SandlotError
from sandlot.contracts.events import Event, Exited, Reason
from sandlot.contracts.lease import Ending, EndReason
from sandlot.contracts.spec import Isolation, SandboxSpec


class MemoryBox:
    enforced: tuple[str, ...] = ()
    features = Feature.NOTHING

    def __init__(self, engine: str, isolation: Isolation) -> None:
        self.engine, self.isolation = engine, isolation
        self.failover: tuple[str, ...] = ()

    async def run(self, command: Command) -> AsyncIterator[Event]:
        yield Exited(Reason.EXITED, len(command.argv))

    async def put(self, path: PurePosixPath, tar: AsyncIterable[bytes]) -> None:
        raise NotImplementedError

    async def get(self, path: PurePosixPath) -> AsyncIterator[bytes]:
        yield bytes(path)

    async def ended(self) -> Ending:
        return Ending(EndReason.KILLED, 0.0)

    async def close(self) -> None:
        return


class MemoryEngine:
    """Fails with `error` as long as there is one."""

    def __init__(self, name: str, isolation: Isolation = Isolation.NAMESPACE) -> None:
        self.name, self.isolation = name, isolation
        self.error: SandlotError | None = None
        self.asked = 0
        self.closed = False
        self.latest: SandboxSpec | None = None

    async def probe(self) -> Viability:
        cause = None if self.error is None else self.error.message
        return Viability(self.name, self.isolation, cause=cause)

    async def create(self, spec: SandboxSpec) -> MemoryBox:
        self.asked += 1
        self.latest = spec
        if self.error is not None:
            raise self.error
        return MemoryBox(self.name, self.isolation)

    async def sweep(self) -> int:
        return 1

    async def close(self) -> None:
        self.closed = True
