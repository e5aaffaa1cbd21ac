"""The Service of a server, for threads: the twin of `async_service`."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional, Tuple

from sandlot.contracts.result import Result
from sandlot.contracts.service import RunRequest, SandboxStatus
from sandlot.contracts.spec import SandboxSpec
from sandlot.transport.base import SyncTransport
from sandlot.wire.flows import commands, sandboxes

from .address import server
from .driver import Driver
from .facts import usable
from .feeding import has_stream, source_of, whole
from .remote import RemoteBox


class Client:
    """contracts.service.Service over HTTP, without async. Two threads may use it at once.

    *url* and *key* default to the settings in force (SANDLOT_URL, SANDLOT_KEY), then to a server on this
    machine. Every method raises SandlotError kinds; ConnectionLost when the server cannot be reached.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        *,
        key: Optional[str] = None,
        transport: Optional[SyncTransport] = None,
    ) -> None:
        """Speak to the server at *url*, or over *transport*; nothing is sent yet."""
        if transport is None:
            from sandlot.transport import sync

            found = server(url, key)
            transport = sync.connect(found.url, key=found.key)
        self._driver = Driver(transport)

    def run(self, request: RunRequest) -> Result:
        """As Service.run."""
        if has_stream(request.command):
            data = whole(source_of(request.command))
            request = replace(request, command=replace(request.command, stdin=data))
        return commands.result(self._driver.items(commands.run(request)))

    def ensure(self, sandbox: str, spec: SandboxSpec) -> SandboxStatus:
        """As Service.ensure."""
        return self._driver.value(sandboxes.ensure(sandbox, spec))

    def status(self, sandbox: str) -> SandboxStatus:
        """As Service.status."""
        return self._driver.value(sandboxes.status(sandbox))

    def touch(self, sandbox: str) -> SandboxStatus:
        """As Service.touch."""
        return self._driver.value(sandboxes.touch(sandbox))

    def reach(self, sandbox: str) -> RemoteBox:
        """As Service.reach."""
        return self.box(usable(self.status(sandbox)))

    def box(self, status: SandboxStatus) -> RemoteBox:
        """The box of the sandbox that *status* tells of, without asking."""
        return RemoteBox(self._driver, status)

    def delete(self, sandbox: str) -> None:
        """As Service.delete."""
        self._driver.channels.forget(sandbox)
        self._driver.value(sandboxes.delete(sandbox))

    def list(self, *, ended: bool = False) -> Tuple[SandboxStatus, ...]:
        """As Service.list."""
        return self._driver.value(sandboxes.listing(ended=ended))

    def close(self) -> None:
        """Close the connections; sandboxes last as long as their leases. Idempotent."""
        self._driver.close()
