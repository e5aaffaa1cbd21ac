"""LocalService: the Service in this process, over whatever engines work here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Self

from sandlot.contracts.engine import Box
from sandlot.contracts.events import Event
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.result import Result, fold
from sandlot.contracts.service import RunRequest, SandboxStatus
from sandlot.contracts.spec import SandboxSpec
from sandlot.contracts.streams import ended
from sandlot.pool.pools import Pools
from sandlot.pool.supply import Supply
from sandlot.sandboxes.census import Census
from sandlot.sandboxes.sandboxes import Sandboxes
from sandlot.trees import pack

OWNER = "local"
"""Whose sandboxes are those of a service that was made for nobody in particular."""


class LocalService:
    """Implements contracts.service.Service. Use it on one event loop and `close` it there.

    It speaks for one owner; `of` gives the same service to another.
    """

    def __init__(
        self, sandboxes: Sandboxes, owner: str = OWNER, *, is_lent: bool = False, pools: Pools | None = None
    ) -> None:
        """Over *sandboxes*, which are closed with it unless they are lent, and the *pools* of its engines."""
        self._sandboxes, self._owner, self._is_lent = sandboxes, owner, is_lent
        self._pools = pools

    def of(self, owner: str) -> Self:
        """The service of *owner*, who sees no others' sandboxes; closing it closes nothing."""
        return type(self)(self._sandboxes, owner, is_lent=True, pools=self._pools)

    async def run(self, request: RunRequest) -> Result:
        async with self.stay(request.spec) as box:
            if request.files:
                await box.put(WORKSPACE, pack.once(pack.packed(request.files, WORKSPACE)))
            command = request.command if request.command.last else replace(request.command, last=True)
            async with ended(box.run(command)) as events:
                return told(box, [event async for event in events])

    async def ensure(self, sandbox: str, spec: SandboxSpec) -> SandboxStatus:
        return await self._sandboxes.ensure(self._owner, sandbox, spec)

    async def status(self, sandbox: str) -> SandboxStatus:
        return self._sandboxes.status(self._owner, sandbox)

    async def touch(self, sandbox: str) -> SandboxStatus:
        return await self._sandboxes.touch(self._owner, sandbox)

    async def reach(self, sandbox: str) -> Box:
        return await self._sandboxes.reach(self._owner, sandbox)

    async def delete(self, sandbox: str) -> None:
        await self._sandboxes.delete(self._owner, sandbox)

    async def list(self, *, ended: bool = False) -> tuple[SandboxStatus, ...]:
        return self._sandboxes.list(self._owner, ended=ended)

    async def close(self) -> None:
        if not self._is_lent:
            await self._sandboxes.close()

    async def make(self, spec: SandboxSpec) -> Box:
        """A box of *spec* that the caller closes."""
        return await self._sandboxes.make(self._owner, spec)

    @asynccontextmanager
    async def box(self, spec: SandboxSpec) -> AsyncIterator[Box]:
        """A box of *spec* for the length of a block."""
        box = await self.make(spec)
        try:
            yield box
        finally:
            await box.close()

    def stay(self, spec: SandboxSpec) -> AbstractAsyncContextManager[Box]:
        """A box of *spec* for one command, once the command may run, which is ended after the block.

        Nobody waits for that but `close`. Raises PoolExhausted too.
        """
        return self._sandboxes.stay(self._owner, spec)

    def census(self) -> Census:
        """How many sandboxes there are and were, of every owner."""
        return self._sandboxes.census()

    def supplies(self) -> tuple[Supply, ...]:
        """How every stock of warm boxes stands; none where none are made ahead."""
        return () if self._pools is None else self._pools.supplies()


def told(box: Box, events: Iterable[Event]) -> Result:
    """The Result of *events* in *box*. Raises the error of a Failed event."""
    return fold(
        events,
        engine=box.engine,
        isolation=box.isolation,
        enforced=box.enforced,
        failover=box.failover,
    )
