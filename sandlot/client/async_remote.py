"""A sandbox on a server as a box, for tasks: the twin of `remote`."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, AsyncGenerator, AsyncIterable, AsyncIterator, Mapping, Optional, Tuple

from sandlot.contracts.command import Command
from sandlot.contracts.contexts import ContextSpec
from sandlot.contracts.errors import NotFound
from sandlot.contracts.events import Event, Started
from sandlot.contracts.lease import Ending
from sandlot.contracts.service import SandboxStatus
from sandlot.wire.flows import commands, contexts, files, processes, sandboxes

from .async_context import AsyncRemoteContext
from .async_driver import AsyncDriver
from .async_terminal import AsyncRemoteTerminal
from .facts import Facts, default_row, end_of, gone, pauses, told
from .feeding import AsyncFeeder, carried, has_stream


class AsyncRemoteBox(Facts):
    """Implements Box, Files, FileWatch, Processes and Terminals of contracts.engine, and Contexts, over HTTP.

    `close` ends the sandbox.
    """

    def __init__(self, driver: AsyncDriver, status: SandboxStatus) -> None:
        """Speak for the sandbox that *status* tells of."""
        super().__init__(status)
        self._driver = driver

    async def run(self, command: Command) -> AsyncGenerator[Event, None]:
        command = carried(command)
        feeder: Optional[AsyncFeeder] = None
        stream = self._driver.items(commands.execute(self.id, command))
        try:
            async for received in stream:
                if has_stream(command) and isinstance(received.event, Started):
                    execution = commands.execution_of(received)
                    feeder = AsyncFeeder(self._driver, self.id, execution, command)
                yield told(self, received, None if feeder is None else feeder.error)
        finally:
            if feeder is not None:
                await feeder.stop()
            await stream.aclose()

    async def put(self, path: PurePosixPath, tar: AsyncIterable[bytes]) -> None:
        await self._driver.value(files.upload(self.id, path), tar)

    def get(self, path: PurePosixPath) -> AsyncIterator[bytes]:
        return self._driver.items(files.download(self.id, path))

    async def ended(self) -> Ending:
        for pause in pauses():
            try:
                status = await self._driver.value(sandboxes.status(self.id))
            except NotFound:
                return gone(time.time())
            ending = end_of(status)
            if ending is not None:
                return ending
            await asyncio.sleep(pause)
        raise AssertionError("pauses never end")

    async def close(self) -> None:
        await self._driver.channels.forget(self.id)
        with suppress(NotFound):
            await self._driver.value(sandboxes.delete(self.id))

    async def stat(self, path: PurePosixPath) -> Mapping[str, Any]:
        return await self._driver.value(files.stat(self.id, path))

    async def list(self, path: PurePosixPath) -> AsyncIterator[Mapping[str, Any]]:
        for entry in await self._driver.value(files.entries(self.id, path)):
            yield entry

    def read(
        self, path: PurePosixPath, offset: int = 0, length: Optional[int] = None
    ) -> AsyncIterator[bytes]:
        return self._driver.items(files.content(self.id, path, offset, length))

    async def write(self, path: PurePosixPath, content: AsyncIterable[bytes], mode: int = 0o644) -> int:
        return await self._driver.value(files.write(self.id, path, mode), content)

    async def mkdir(self, path: PurePosixPath, *, parents: bool = False) -> None:
        await self._driver.value(files.mkdir(self.id, path, parents=parents))

    async def move(self, path: PurePosixPath, to: PurePosixPath) -> None:
        await self._driver.value(files.move(self.id, path, to))

    async def remove(self, path: PurePosixPath, *, recursive: bool = False) -> None:
        await self._driver.value(files.remove(self.id, path, recursive=recursive))

    def watch(self, path: PurePosixPath, *, recursive: bool = False) -> AsyncIterator[Mapping[str, Any]]:
        return self._driver.items(files.watch(self.id, path, recursive=recursive))

    async def start(self, command: Command) -> str:
        return await self._driver.value(processes.start(self.id, command))

    async def processes(self) -> Tuple[Mapping[str, Any], ...]:
        return await self._driver.value(processes.processes(self.id))

    async def signal(self, process: str, number: int) -> None:
        await self._driver.value(processes.signal(self.id, process, number))

    async def feed(self, process: str, data: bytes, *, end: bool = False) -> None:
        await self._driver.value(processes.feed(self.id, process, data, end=end))

    async def wait(self, process: str, timeout: Optional[float] = None) -> Mapping[str, Any]:
        return await self._driver.value(processes.wait(self.id, process, timeout))

    async def output(self, process: str, offset: int = 0) -> Tuple[bytes, int, int]:
        return await self._driver.value(processes.output(self.id, process, offset))

    async def open(self, command: Command) -> AsyncRemoteTerminal:
        return await AsyncRemoteTerminal.start(self._driver.transport, self.id, command)

    async def open_context(self, spec: ContextSpec) -> AsyncRemoteContext:
        return await AsyncRemoteContext.start(self._driver, self.id, spec)

    async def contexts(self) -> Tuple[AsyncRemoteContext, ...]:
        rows = await self._driver.value(contexts.listing(self.id))
        return tuple(AsyncRemoteContext(self._driver, self.id, row) for row in rows)

    async def default_context(self) -> AsyncRemoteContext:
        """The context of callers that name none; the server makes it when it is first used."""
        return AsyncRemoteContext(self._driver, self.id, default_row())
