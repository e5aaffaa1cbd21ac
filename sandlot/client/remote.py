"""A sandbox on a server as a box, for threads: the twin of `async_remote`."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, Generator, Iterable, Iterator, Mapping, Optional, Tuple

from sandlot.contracts.command import Command
from sandlot.contracts.contexts import ContextSpec
from sandlot.contracts.errors import NotFound
from sandlot.contracts.events import Event, Started
from sandlot.contracts.lease import Ending
from sandlot.contracts.service import SandboxStatus
from sandlot.wire.flows import commands, contexts, files, processes, sandboxes

from .context import RemoteContext
from .driver import Driver
from .facts import Facts, default_row, end_of, gone, pauses, told
from .feeding import Feeder, carried, has_stream, source_of
from .terminal import RemoteTerminal


class RemoteBox(Facts):
    """Box, Files, FileWatch, Processes, Terminals and Contexts over HTTP, without async.

    `put` and `write` take ordinary iterables; `stdin` of a Command is bytes or `Pieces`. Two threads may use
    it at once.
    """

    def __init__(self, driver: Driver, status: SandboxStatus) -> None:
        """Speak for the sandbox that *status* tells of."""
        super().__init__(status)
        self._driver = driver

    def run(self, command: Command) -> Generator[Event, None, None]:
        command = carried(command)
        source = source_of(command) if has_stream(command) else None
        feeder: Optional[Feeder] = None
        stream = self._driver.items(commands.execute(self.id, command))
        try:
            for received in stream:
                if source is not None and isinstance(received.event, Started):
                    feeder = Feeder(self._driver, self.id, commands.execution_of(received), source)
                yield told(self, received, None if feeder is None else feeder.error)
        finally:
            if feeder is not None:
                feeder.stop()
            stream.close()

    def put(self, path: PurePosixPath, tar: Iterable[bytes]) -> None:
        self._driver.value(files.upload(self.id, path), tar)

    def get(self, path: PurePosixPath) -> Generator[bytes, None, None]:
        return self._driver.items(files.download(self.id, path))

    def ended(self) -> Ending:
        for pause in pauses():
            try:
                status = self._driver.value(sandboxes.status(self.id))
            except NotFound:
                return gone(time.time())
            ending = end_of(status)
            if ending is not None:
                return ending
            time.sleep(pause)
        raise AssertionError("pauses never end")

    def close(self) -> None:
        self._driver.channels.forget(self.id)
        with suppress(NotFound):
            self._driver.value(sandboxes.delete(self.id))

    def stat(self, path: PurePosixPath) -> Mapping[str, Any]:
        return self._driver.value(files.stat(self.id, path))

    def list(self, path: PurePosixPath) -> Iterator[Mapping[str, Any]]:
        return iter(self._driver.value(files.entries(self.id, path)))

    def read(
        self, path: PurePosixPath, offset: int = 0, length: Optional[int] = None
    ) -> Generator[bytes, None, None]:
        return self._driver.items(files.content(self.id, path, offset, length))

    def write(self, path: PurePosixPath, content: Iterable[bytes], mode: int = 0o644) -> int:
        return self._driver.value(files.write(self.id, path, mode), content)

    def mkdir(self, path: PurePosixPath, *, parents: bool = False) -> None:
        self._driver.value(files.mkdir(self.id, path, parents=parents))

    def move(self, path: PurePosixPath, to: PurePosixPath) -> None:
        self._driver.value(files.move(self.id, path, to))

    def remove(self, path: PurePosixPath, *, recursive: bool = False) -> None:
        self._driver.value(files.remove(self.id, path, recursive=recursive))

    def watch(
        self, path: PurePosixPath, *, recursive: bool = False
    ) -> Generator[Mapping[str, Any], None, None]:
        return self._driver.items(files.watch(self.id, path, recursive=recursive))

    def start(self, command: Command) -> str:
        return self._driver.value(processes.start(self.id, command))

    def processes(self) -> Tuple[Mapping[str, Any], ...]:
        return self._driver.value(processes.processes(self.id))

    def signal(self, process: str, number: int) -> None:
        self._driver.value(processes.signal(self.id, process, number))

    def feed(self, process: str, data: bytes, *, end: bool = False) -> None:
        self._driver.value(processes.feed(self.id, process, data, end=end))

    def wait(self, process: str, timeout: Optional[float] = None) -> Mapping[str, Any]:
        return self._driver.value(processes.wait(self.id, process, timeout))

    def output(self, process: str, offset: int = 0) -> Tuple[bytes, int, int]:
        return self._driver.value(processes.output(self.id, process, offset))

    def open(self, command: Command) -> RemoteTerminal:
        return RemoteTerminal.start(self._driver.transport, self.id, command)

    def open_context(self, spec: ContextSpec) -> RemoteContext:
        return RemoteContext.start(self._driver, self.id, spec)

    def contexts(self) -> Tuple[RemoteContext, ...]:
        rows = self._driver.value(contexts.listing(self.id))
        return tuple(RemoteContext(self._driver, self.id, row) for row in rows)

    def default_context(self) -> RemoteContext:
        """The context of callers that name none; the server makes it when it is first used."""
        return RemoteContext(self._driver, self.id, default_row())
