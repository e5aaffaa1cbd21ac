"""LocalService: the Service in this process, over whatever engines work here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath

from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box, Engine
from sandlot.contracts.errors import Conflict, NotFound
from sandlot.contracts.events import Event
from sandlot.contracts.paths import WORKSPACE, identifier
from sandlot.contracts.result import Result, fold
from sandlot.contracts.service import RunRequest, SandboxStatus
from sandlot.contracts.spec import SandboxSpec

from . import pack
from .iteration import ended


class LocalService:
    """Implements contracts.service.Service. Use it on one event loop and `close` it there."""

    def __init__(self, engine: Engine) -> None:
        """Make boxes with *engine*, which is closed with this service."""
        self._engine = engine
        self._sandboxes: dict[str, _Sandbox] = {}
        self._closed = False

    async def run(self, request: RunRequest) -> Result:
        async with self.box(request.spec) as box:
            if request.files:
                await box.put(WORKSPACE, pack.once(pack.packed(request.files, WORKSPACE)))
            async with ended(box.run(request.command)) as events:
                return told(box, [event async for event in events])

    async def ensure(self, sandbox: str, spec: SandboxSpec) -> SandboxStatus:
        self._refuse_when_closed()
        held = self._sandboxes.setdefault(identifier(sandbox, "sandbox"), _Sandbox(spec))
        if held.spec != spec:
            raise Conflict(f"sandbox {sandbox!r} exists with another spec: delete it or choose another name")
        async with held.lock:
            if held.box is None:
                try:
                    held.box = await self._engine.create(spec)
                except BaseException:
                    self._forget(sandbox, held)
                    raise
            if self._sandboxes.get(sandbox) is not held:
                await held.box.close()
                raise Conflict(f"sandbox {sandbox!r} was deleted while it started: ask for it again")
            return _status(sandbox, held.box)

    async def execute(self, sandbox: str, command: Command) -> AsyncIterator[Event]:
        async with ended(self.live(sandbox).run(command)) as events:
            async for event in events:
                yield event

    async def put(self, sandbox: str, tar: AsyncIterable[bytes], path: PurePosixPath = WORKSPACE) -> None:
        await self.live(sandbox).put(path, tar)

    async def get(self, sandbox: str, path: PurePosixPath = WORKSPACE) -> AsyncIterator[bytes]:
        async with ended(self.live(sandbox).get(path)) as tar:
            async for data in tar:
                yield data

    async def delete(self, sandbox: str) -> None:
        held = self._sandboxes.pop(sandbox, None)
        if held is None:
            raise _unknown(sandbox)
        if held.box is not None:
            await held.box.close()

    async def list(self) -> tuple[SandboxStatus, ...]:
        held = sorted(self._sandboxes.items())
        return tuple(_status(name, sandbox.box) for name, sandbox in held if sandbox.box is not None)

    async def close(self) -> None:
        self._closed = True
        doomed = [held.box for held in self._sandboxes.values() if held.box is not None]
        self._sandboxes.clear()
        try:
            await asyncio.gather(*(box.close() for box in doomed))
        finally:
            await self._engine.close()

    async def make(self, spec: SandboxSpec) -> Box:
        """A box of *spec* that the caller closes."""
        self._refuse_when_closed()
        return await self._engine.create(spec)

    def live(self, sandbox: str) -> Box:
        """The box of a live sandbox, for its optional powers. Raises NotFound."""
        held = self._sandboxes.get(sandbox)
        if held is None or held.box is None:
            raise _unknown(sandbox)
        return held.box

    @asynccontextmanager
    async def box(self, spec: SandboxSpec) -> AsyncIterator[Box]:
        """A box of *spec* for the length of a block."""
        box = await self.make(spec)
        try:
            yield box
        finally:
            await box.close()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise Conflict("this service is closed: make another one")

    def _forget(self, name: str, held: _Sandbox) -> None:
        if self._sandboxes.get(name) is held:
            del self._sandboxes[name]


class _Sandbox:
    """A name somebody asked for; its box comes once, however many ask."""

    def __init__(self, spec: SandboxSpec) -> None:
        self.spec = spec
        self.lock = asyncio.Lock()
        self.box: Box | None = None


def told(box: Box, events: list[Event]) -> Result:
    """The Result of *events* in *box*. Raises the error of a Failed event."""
    return fold(
        events,
        engine=box.engine,
        isolation=box.isolation,
        enforced=box.enforced,
        failover=box.failover,
    )


def _status(name: str, box: Box) -> SandboxStatus:
    return SandboxStatus(name, box.engine, box.isolation, box.enforced)


def _unknown(sandbox: str) -> NotFound:
    return NotFound(f"there is no live sandbox {sandbox!r}: make it with ensure")
