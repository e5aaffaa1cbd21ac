"""AsyncSandbox: the object people hold in async code."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from sandlot.client.address import chosen_server
from sandlot.client.async_service import AsyncClient
from sandlot.client.facts import usable
from sandlot.contracts.capability import Feature
from sandlot.contracts.engine import Box, Terminal
from sandlot.contracts.errors import NotFound
from sandlot.contracts.paths import WORKSPACE, sandbox_path
from sandlot.contracts.service import SandboxStatus, Service
from sandlot.contracts.streams import ended
from sandlot.trees import pack
from sandlot.trees.descriptors import finished
from sandlot.trees.unpack import unpack

from . import plans
from .async_interpreters import AsyncInterpreters
from .async_programs import AsyncPrograms
from .powers import PowerfulBox, with_power

if TYPE_CHECKING:
    from typing import Self


class AsyncSandbox(AsyncPrograms, AsyncInterpreters):
    """As Sandbox, for one event loop. It starts when it is awaited or entered:

    `async with AsyncSandbox.local() as box` or `box = await AsyncSandbox.connect(url)`.
    """

    def __init__(self, plan: plans.Plan) -> None:
        """Prefer `local` and `connect`."""
        self.id = plan.id
        self._plan = plan
        self._service: Optional[Service] = None
        self._reach: Callable[[], Awaitable[Box]] = self._closed

    @classmethod
    def local(
        cls, *, env: Optional[Mapping[str, str]] = None, ttl: plans.Amount = None, **asked: Any
    ) -> AsyncSandbox:
        """As Sandbox.local."""
        return cls(plans.local_plan(env, ttl, asked))

    @classmethod
    def connect(
        cls,
        url: Optional[str] = None,
        *,
        id: Optional[str] = None,  # noqa: A002 - what the wire calls it
        key: Optional[str] = None,
        env: Optional[Mapping[str, str]] = None,
        ttl: plans.Amount = None,
        image: Optional[str] = None,
        **asked: Any,
    ) -> AsyncSandbox:
        """As Sandbox.connect."""
        return cls(plans.remote_plan(id, env, ttl, {"url": url, "key": key, **asked}, image))

    async def put(self, source: Union[str, Path], target: str = ".") -> List[str]:
        """As Sandbox.put."""
        left_out: List[Tuple[str, str]] = []
        path = await finished(Path(source).absolute)
        box = await self._reach()
        async with ended(
            pack.stream(path, path.name, lambda name, what: left_out.append((name, what)))
        ) as tar:
            await box.put(sandbox_path(target), tar)
        return pack.leaving_out(left_out)

    async def get(self, source: str, target: Union[str, Path]) -> int:
        """As Sandbox.get."""
        into = await finished(plans.host_folder, target)
        box = await self._reach()
        async with ended(box.get(sandbox_path(source))) as tar:
            return await unpack(tar, into)

    async def write(self, path: str, content: Union[bytes, str]) -> None:
        """As Sandbox.write."""
        tar = pack.packed({path: plans.as_bytes(content)}, WORKSPACE)
        await (await self._reach()).put(WORKSPACE, pack.once(tar))

    async def read(self, path: str, *, offset: int = 0, length: Optional[int] = None) -> bytes:
        """As Sandbox.read."""
        box = await self._with(Feature.FILES)
        async with ended(box.read(sandbox_path(path), offset, length)) as pieces:
            return b"".join([piece async for piece in pieces])

    async def list(self, path: str = ".") -> List[Mapping[str, Any]]:
        """As Sandbox.list."""
        box = await self._with(Feature.FILES)
        async with ended(box.list(sandbox_path(path))) as entries:
            return [entry async for entry in entries]

    async def stat(self, path: str) -> Mapping[str, Any]:
        """As Sandbox.stat."""
        return await (await self._with(Feature.FILES)).stat(sandbox_path(path))

    async def remove(self, path: str, *, recursive: bool = False) -> None:
        """As Sandbox.remove."""
        await (await self._with(Feature.FILES)).remove(sandbox_path(path), recursive=recursive)

    async def mkdir(self, path: str, *, parents: bool = False) -> None:
        """As Sandbox.mkdir."""
        await (await self._with(Feature.FILES)).mkdir(sandbox_path(path), parents=parents)

    async def move(self, path: str, to: str) -> None:
        """As Sandbox.move."""
        await (await self._with(Feature.FILES)).move(sandbox_path(path), sandbox_path(to))

    async def watch(self, path: str = ".", *, recursive: bool = False) -> AsyncIterator[Mapping[str, Any]]:
        """As Sandbox.watch."""
        box = await self._with(Feature.FILE_WATCH)
        async with ended(box.watch(sandbox_path(path), recursive=recursive)) as changes:
            async for change in changes:
                yield change

    async def start(
        self,
        code: Optional[str] = None,
        *,
        argv: Optional[Sequence[str]] = None,
        stdin: Union[bytes, str, None] = None,
        env: Optional[Mapping[str, str]] = None,
        workdir: Union[str, PurePosixPath, None] = None,
        timeout: plans.Amount = None,
    ) -> str:
        """As Sandbox.start."""
        command = plans.command_for(plans.Program(code, argv, stdin, env, workdir), timeout, None)
        return await (await self._with(Feature.PROCESSES)).start(command)

    async def processes(self) -> Tuple[Mapping[str, Any], ...]:
        """As Sandbox.processes."""
        return await (await self._with(Feature.PROCESSES)).processes()

    async def signal(self, process: str, number: int) -> None:
        """As Sandbox.signal."""
        await (await self._with(Feature.PROCESSES)).signal(process, number)

    async def feed(self, process: str, data: Union[bytes, str], *, end: bool = False) -> None:
        """As Sandbox.feed."""
        await (await self._with(Feature.PROCESSES)).feed(process, plans.as_bytes(data), end=end)

    async def wait(self, process: str, timeout: Optional[float] = None) -> Mapping[str, Any]:
        """As Sandbox.wait."""
        return await (await self._with(Feature.PROCESSES)).wait(process, timeout)

    async def output(self, process: str, offset: int = 0) -> Tuple[bytes, int, int]:
        """As Sandbox.output."""
        return await (await self._with(Feature.PROCESSES)).output(process, offset)

    async def terminal(
        self, argv: Sequence[str] = ("/bin/sh",), *, workdir: str = ".", rows: int = 24, columns: int = 80
    ) -> Terminal:
        """As Sandbox.terminal."""
        command = plans.terminal_for(argv, workdir, rows, columns)
        return await (await self._with(Feature.TERMINALS)).open(command)

    async def touch(self) -> SandboxStatus:
        """As Sandbox.touch."""
        return await self._live.touch(self.id)

    async def status(self) -> SandboxStatus:
        """As Sandbox.status."""
        return await self._live.status(self.id)

    async def delete(self) -> None:
        """As Sandbox.delete."""
        await self._live.delete(self.id)

    async def close(self) -> None:
        """As Sandbox.close."""
        service, self._service, self._reach = self._service, None, self._closed
        if service is None:
            return
        try:
            if self._plan.is_ours:
                with suppress(NotFound):
                    await service.delete(self.id)
        finally:
            await service.close()

    def __await__(self) -> Generator[Any, None, Self]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> Self:
        if self._service is None:
            service = self._opened()
            try:
                self._reach = await self._claimed(service)
            except BaseException:
                await service.close()
                raise
            self._service = service
        return self

    async def __aexit__(self, *_why: object) -> None:
        await self.close()

    def _opened(self) -> Service:
        if self._plan.is_local:
            from sandlot.local.start import start

            return start()
        there = chosen_server(self._plan.settings)
        return AsyncClient(there.url, key=there.key)

    async def _claimed(self, service: Service) -> Callable[[], Awaitable[Box]]:
        """The way to the sandbox's box, once the sandbox is there."""
        status = await service.ensure(self.id, self._plan.spec)
        if not isinstance(service, AsyncClient):
            return partial(service.reach, self.id)
        box = service.box(usable(status))

        async def same() -> Box:
            return box

        return same

    async def _with(self, feature: Feature) -> PowerfulBox:
        return with_power(await self._reach(), feature)

    @property
    def _live(self) -> Service:
        if self._service is None:
            raise plans.not_open(self.id)
        return self._service

    async def _closed(self) -> Box:
        raise plans.not_open(self.id)
