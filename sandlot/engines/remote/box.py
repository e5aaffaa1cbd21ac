"""A sandbox of a sandlot server as a box: everything that AsyncRemoteBox does, by the contract of a box.

A sandbox is more lasting than a box: after its box died, its server may bring up another one under the same
name. Here such a box has ended, and everything asked of it afterwards is BoxDied.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import PurePosixPath
from typing import Any
from weakref import WeakSet

from sandlot.client.async_driver import AsyncDriver
from sandlot.client.async_remote import AsyncRemoteBox
from sandlot.client.facts import end_of
from sandlot.contracts.capability import Feature
from sandlot.contracts.command import Command
from sandlot.contracts.contexts import ContextSpec
from sandlot.contracts.errors import BoxDied, Misuse, SandlotError
from sandlot.contracts.events import Event, Exited, Failed, Reason, Started, exit_code_of
from sandlot.contracts.lease import Ending
from sandlot.contracts.service import SandboxStatus
from sandlot.wire.flows import contexts, files, sandboxes, terminals
from sandlot.wire.flows.exchange import Flow

from .asked import NAME
from .context import ServerContext
from .tenure import HeldDriver, Tenure, Verbs
from .terminal import ServerTerminal
from .unpacked import unpacked

_PAUSE = 0.01  # seconds between two looks; nothing tells the end of what nobody reads
_KILL_SECONDS = 5.0
"""How long a server that was left may take to kill the command, before its caller goes on."""


def _renewed(sandbox: str) -> Flow[Ending | None]:
    return end_of((yield from sandboxes.touch(sandbox)))


def _seen(sandbox: str) -> Flow[Ending | None]:
    return end_of((yield from sandboxes.status(sandbox)))


VERBS = Verbs(_renewed, _seen, sandboxes.delete)
"""How a sandlot server is spoken to about a sandbox."""


class ServerBox(AsyncRemoteBox):
    """contracts.engine.Box with Files, FileWatch, Processes, Terminals and Contexts.

    `isolation` and `enforced` are the server's word; its engine stays its own affair.
    """

    def __init__(self, driver: AsyncDriver, status: SandboxStatus, tenure: Tenure) -> None:
        """Speak for the sandbox that *status* tells of, as long as *tenure* lasts."""
        super().__init__(HeldDriver(driver, tenure), status)
        self._tenure = tenure
        self._terminals: WeakSet[ServerTerminal] = WeakSet()
        self.engine = NAME
        self.features = status.features & ~Feature.MOUNTS

    def learn(self, behind: dict[str, Any] | None) -> None:
        """As Facts.learn, but for what is said of engines: of those that were tried, ours come first."""
        tried = self.failover
        super().learn(behind)
        self.engine = NAME
        self.failover = tried or self.failover

    async def run(self, command: Command) -> AsyncGenerator[Event, None]:
        process, has_ended = "", False
        try:
            async with aclosing(super().run(command)) as events:
                async for event in events:
                    if isinstance(event, Started):
                        process = event.process
                    elif isinstance(event, (Exited, Failed)):
                        has_ended = True
                        await self._note(event)
                    yield event
        except BoxDied as error:
            has_ended = True
            yield Exited(Reason.BOX_DIED, exit_code_of(Reason.BOX_DIED, None, None), who=error.who)
        except Misuse as error:
            has_ended = True
            yield Failed(error.code, error.message)
        finally:
            if process and not has_ended:
                await self._killed(process)

    async def get(self, path: PurePosixPath) -> AsyncGenerator[bytes, None]:
        async with aclosing(unpacked(self._driver.items(files.download(self.id, path)))) as tar:
            async for piece in tar:
                yield piece

    async def ended(self) -> Ending:
        return await self._tenure.ended()

    async def open(self, command: Command) -> ServerTerminal:
        self._tenure.demand()
        request = terminals.opening(self.id, command)
        socket = await self._driver.transport.websocket(request, [terminals.PROTOCOL])
        terminal = ServerTerminal(socket, self._killed)
        self._terminals.add(terminal)
        return terminal

    async def open_context(self, spec: ContextSpec) -> ServerContext:
        return await ServerContext.start(self._driver, self.id, spec)

    async def contexts(self) -> tuple[ServerContext, ...]:
        rows = await self._driver.value(contexts.listing(self.id))
        return tuple(ServerContext(self._driver, self.id, row) for row in rows)

    async def close(self) -> None:
        try:
            for terminal in tuple(self._terminals):
                await terminal.close()
            await self._driver.channels.forget(self.id)
        finally:
            await self._tenure.close()

    async def _note(self, end: Exited | Failed) -> None:
        if isinstance(end, Exited) and end.reason is Reason.BOX_DIED:
            await self._tenure.died(end.who)

    async def _killed(self, process: str) -> None:
        """Wait until the server has killed a command that was left: it hears of that by a closed connection.

        A box lists its commands until nothing of them is left.
        """
        if Feature.PROCESSES not in self.features:
            return
        with suppress(SandlotError, TimeoutError):
            async with asyncio.timeout(_KILL_SECONDS):
                while True:
                    if not any(row["id"] == process for row in await self.processes()):
                        return
                    await asyncio.sleep(_PAUSE)
