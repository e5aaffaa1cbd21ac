"""The Service of a server, for tasks: the twin of `service`."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional, Tuple

from sandlot.contracts.result import Result
from sandlot.contracts.service import RunRequest, SandboxStatus
from sandlot.contracts.spec import SandboxSpec
from sandlot.transport.base import AsyncTransport
from sandlot.wire.flows import commands, sandboxes

from .address import server
from .async_driver import AsyncDriver
from .async_remote import AsyncRemoteBox
from .facts import usable
from .feeding import has_stream, whole_of


class AsyncClient:
    """Implements contracts.service.Service over HTTP. Use it on one event loop and `close` it there.

    Otherwise as Client.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        *,
        key: Optional[str] = None,
        transport: Optional[AsyncTransport] = None,
    ) -> None:
        """Speak to the server at *url*, or over *transport*; nothing is sent yet."""
        if transport is None:
            from sandlot.transport import aio

            found = server(url, key)
            transport = aio.connect(found.url, key=found.key)
        self._driver = AsyncDriver(transport)

    async def run(self, request: RunRequest) -> Result:
        if has_stream(request.command):
            data = await whole_of(request.command)
            request = replace(request, command=replace(request.command, stdin=data))
        return commands.result([received async for received in self._driver.items(commands.run(request))])

    async def ensure(self, sandbox: str, spec: SandboxSpec) -> SandboxStatus:
        return await self._driver.value(sandboxes.ensure(sandbox, spec))

    async def status(self, sandbox: str) -> SandboxStatus:
        return await self._driver.value(sandboxes.status(sandbox))

    async def touch(self, sandbox: str) -> SandboxStatus:
        return await self._driver.value(sandboxes.touch(sandbox))

    async def reach(self, sandbox: str) -> AsyncRemoteBox:
        return self.box(usable(await self.status(sandbox)))

    def box(self, status: SandboxStatus) -> AsyncRemoteBox:
        """As Client.box."""
        return AsyncRemoteBox(self._driver, status)

    async def delete(self, sandbox: str) -> None:
        await self._driver.channels.forget(sandbox)
        await self._driver.value(sandboxes.delete(sandbox))

    async def list(self, *, ended: bool = False) -> Tuple[SandboxStatus, ...]:
        return await self._driver.value(sandboxes.listing(ended=ended))

    async def close(self) -> None:
        """As Client.close."""
        await self._driver.close()
