"""LentBox: a sandbox's box in the hands of a caller, who may use it but not end it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import PurePosixPath
from typing import Any, cast

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.contexts import Context, Contexts, ContextSpec
from sandlot.contracts.engine import Box, Files, FileWatch, Processes, Terminal, Terminals
from sandlot.contracts.events import Event
from sandlot.contracts.lease import Ending
from sandlot.contracts.streams import ended

from .default_context import DefaultContext
from .gate import Gate
from .lent_context import LentContext


class LentBox:
    """Implements Box, Files, FileWatch, Processes, Terminals and Contexts by those of another box.

    Every command and terminal takes a place in the gate of commands for as long as it runs, background
    processes while they start: `run`, `open` and `start` also raise PoolExhausted and QuotaDenied.
    Methods of a feature the box lacks raise Unsupported.
    """

    def __init__(self, box: Box, commands: Gate, owner: str, default: DefaultContext) -> None:
        """Lend *box*, whose *default* context is known, to *owner*."""
        self.engine, self.isolation = box.engine, box.isolation
        self.enforced, self.features = box.enforced, box.features
        self.failover = box.failover
        self._box, self._commands, self._owner = box, commands, owner
        self._default = default

    async def run(self, command: Command) -> AsyncGenerator[Event, None]:
        async with self._commands.place(self._owner), ended(self._box.run(command)) as events:
            async for event in events:
                yield event

    async def put(self, path: PurePosixPath, tar: AsyncIterable[bytes]) -> None:
        await self._box.put(path, tar)

    def get(self, path: PurePosixPath) -> AsyncIterator[bytes]:
        return self._box.get(path)

    async def ended(self) -> Ending:
        return await self._box.ended()

    async def close(self) -> None:
        """Give it back; it lives on."""

    async def stat(self, path: PurePosixPath) -> Mapping[str, Any]:
        return await self._files.stat(path)

    def list(self, path: PurePosixPath) -> AsyncIterator[Mapping[str, Any]]:
        return self._files.list(path)

    def read(self, path: PurePosixPath, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        return self._files.read(path, offset, length)

    async def write(self, path: PurePosixPath, content: AsyncIterable[bytes], mode: int = 0o644) -> int:
        return await self._files.write(path, content, mode)

    async def mkdir(self, path: PurePosixPath, *, parents: bool = False) -> None:
        await self._files.mkdir(path, parents=parents)

    async def move(self, path: PurePosixPath, to: PurePosixPath) -> None:
        await self._files.move(path, to)

    async def remove(self, path: PurePosixPath, *, recursive: bool = False) -> None:
        await self._files.remove(path, recursive=recursive)

    def watch(self, path: PurePosixPath, *, recursive: bool = False) -> AsyncIterator[Mapping[str, Any]]:
        self._require(Feature.FILE_WATCH)
        return cast("FileWatch", self._box).watch(path, recursive=recursive)

    async def start(self, command: Command) -> str:
        async with self._commands.place(self._owner):
            return await self._processes.start(command)

    async def processes(self) -> tuple[Mapping[str, Any], ...]:
        return await self._processes.processes()

    async def signal(self, process: str, number: int) -> None:
        await self._processes.signal(process, number)

    async def feed(self, process: str, data: bytes, *, end: bool = False) -> None:
        await self._processes.feed(process, data, end=end)

    async def wait(self, process: str, timeout: float | None = None) -> Mapping[str, Any]:
        return await self._processes.wait(process, timeout)

    async def output(self, process: str, offset: int = 0) -> tuple[bytes, int, int]:
        return await self._processes.output(process, offset)

    async def open(self, command: Command) -> Terminal:
        self._require(Feature.TERMINALS)
        async with AsyncExitStack() as held:
            await held.enter_async_context(self._commands.place(self._owner))
            terminal = await cast("Terminals", self._box).open(command)
            return LentTerminal(terminal, held.pop_all())

    async def open_context(self, spec: ContextSpec) -> LentContext:
        async with self._commands.place(self._owner):
            return self._lent(await self._powers.open_context(spec))

    async def contexts(self) -> tuple[LentContext, ...]:
        return tuple(map(self._lent, await self._powers.contexts()))

    async def default_context(self, *, make: bool = True) -> LentContext:
        """The context of callers that name none; made when it is missing or has died, but for *make*.

        Raises NotFound then, and otherwise as `open_context`.
        """
        if not make:
            return self._lent(await self._default.found(self._powers))
        async with self._commands.place(self._owner):
            return self._lent(await self._default.made(self._powers))

    def _lent(self, context: Context) -> LentContext:
        return LentContext(context, self._commands, self._owner)

    @property
    def _powers(self) -> Contexts:
        self._require(Feature.CONTEXTS)
        return cast("Contexts", self._box)

    @property
    def _files(self) -> Files:
        self._require(Feature.FILES)
        return cast("Files", self._box)

    @property
    def _processes(self) -> Processes:
        self._require(Feature.PROCESSES)
        return cast("Processes", self._box)

    def _require(self, feature: Feature) -> None:
        require(feature, self.features, engine=self.engine)


class LentTerminal:
    """A Terminal that gives its place in the gate back when it is closed."""

    def __init__(self, terminal: Terminal, held: AsyncExitStack) -> None:
        """*held* is its place."""
        self._terminal, self._held = terminal, held

    def events(self) -> AsyncIterator[Event]:
        return self._terminal.events()

    async def type(self, data: bytes) -> None:
        await self._terminal.type(data)

    async def resize(self, size: TerminalSize) -> None:
        await self._terminal.resize(size)

    async def close(self) -> None:
        try:
            await self._terminal.close()
        finally:
            await self._held.aclose()
