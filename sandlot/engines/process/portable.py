"""The engine process where there is no Linux: a process group in a directory of its own, and no wall at all.

It refuses whatever it cannot enforce, which is nearly everything: no network policy but `full`, no limits but
on output and time. It runs programs for people who said so, with the same results and the same file transfer.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from pathlib import Path, PurePosixPath

from sandlot.contracts.capability import Feature, Viability
from sandlot.contracts.command import Command
from sandlot.contracts.errors import EngineUnavailable, SandlotError, Unsupported
from sandlot.contracts.events import Event, Failed
from sandlot.contracts.lease import Ending, EndReason
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.result import fold
from sandlot.contracts.spec import Isolation, Network, SandboxSpec
from sandlot.environments import registry
from sandlot.environments.environment import SYSTEM
from sandlot.link.places import Places

from .. import inside
from ..grants import grant
from . import portable_files
from .group import Group
from .leftovers import remove_tree

_WHY = "this system has no namespaces, Landlock or seccomp for it"
_OFFERED = Feature.NETWORK_FULL


class PortableEngine:
    """contracts.engine.Engine without a wall; the boxes' programs can do whatever their user can."""

    name = "process"
    isolation = Isolation.PROCESS

    def __init__(self, *, without: frozenset[str] = frozenset()) -> None:
        """There is no wall to leave out, so *without* must be empty."""
        if without:
            raise Unsupported(
                f"the portable engine process has no walls to leave out: {', '.join(sorted(without))}"
            )
        self._boxes: set[PortableBox] = set()
        self._is_closed = False

    async def probe(self) -> Viability:
        started, token = time.monotonic(), secrets.token_hex(16)
        try:
            async with asyncio.timeout(10.0):
                box = await self.create(SandboxSpec(network=Network.FULL))
                command = Command(
                    code="import sys; print(sys.stdin.read())", stdin=token.encode(), timeout=Seconds(8)
                )
                events = [event async for event in box.run(command)]
                await box.close()
            result = fold(events, engine=self.name, isolation=self.isolation, enforced=())
        except (SandlotError, TimeoutError) as error:
            return Viability(
                self.name, self.isolation, cause=str(error) or "its payload took longer than 10 s"
            )
        if result.text.strip() != token:
            return Viability(self.name, self.isolation, cause="its payload did not give its token back")
        return Viability(self.name, self.isolation, (), _OFFERED, seconds=time.monotonic() - started)

    async def create(self, spec: SandboxSpec) -> PortableBox:
        if self._is_closed:
            raise EngineUnavailable("engine process was closed: make a new one")
        if spec.network is not Network.FULL:
            raise Unsupported(f"engine process cannot shut the network off here ({_WHY}): say --net full")
        if spec.workspace is not None:
            raise Unsupported(f"engine process cannot keep workspaces here ({_WHY}): use one in memory")
        granted = grant(spec, _OFFERED, engine=self.name, isolation=self.isolation, hint=_WHY)
        python = registry.get(spec.environment or SYSTEM).host_interpreter
        box = PortableBox(spec, python, granted.output)
        self._boxes.add(box)
        return box

    async def sweep(self) -> int:
        return 0

    async def close(self) -> None:
        self._is_closed = True
        for box in tuple(self._boxes):
            await box.close()
        self._boxes.clear()


class PortableBox:
    """contracts.engine.Box: a directory, and a process group per command."""

    engine = "process"
    isolation = Isolation.PROCESS
    enforced: tuple[str, ...] = ()
    features = _OFFERED

    def __init__(self, spec: SandboxSpec, python: Path, output_limit: int) -> None:
        """Make the directory; *output_limit* is in bytes per stream."""
        self._home = Path(tempfile.mkdtemp(prefix="sandlot-"))
        self._places = Places.beneath(PurePosixPath(self._home.as_posix()))
        self._workspace, self._temporary = self._home / "workspace", self._home / "tmp"
        self._workspace.mkdir()
        self._temporary.mkdir()
        self._python, self._limit, self._asked = python, output_limit, dict(spec.env)
        self._groups: set[Group] = set()
        self.failover: tuple[str, ...] = ()
        self._closed: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    async def run(self, command: Command) -> AsyncGenerator[Event, None]:
        if command.handler is not None:
            yield Failed(Unsupported.code, f"engine process cannot call handlers here ({_WHY}): run code")
            return
        limit = command.output_limit or self._limit
        group = Group(self._argv(command), self._env(command), self._places.directory(command.workdir), limit)
        self._groups.add(group)
        try:
            async for event in group.run(command.input(), command.timeout):
                yield event
        finally:
            await group.kill()
            self._groups.discard(group)

    async def put(self, path: PurePosixPath, tar: AsyncIterable[bytes]) -> None:
        target = Path(self._places.real(path))
        staging = Path(tempfile.mkdtemp(dir=self._home))
        try:
            await portable_files.unpack(tar, staging)
            await asyncio.to_thread(portable_files.move_in, staging, target, self._home)
        finally:
            await asyncio.to_thread(shutil.rmtree, staging, ignore_errors=True)

    async def get(self, path: PurePosixPath) -> AsyncIterator[bytes]:
        for piece in portable_files.pack(Path(self._places.real(path))):
            yield piece
            await asyncio.sleep(0)

    async def ended(self) -> Ending:
        # There is no process of the box itself that could die: it lasts until it is closed.
        return await asyncio.shield(self._closed)

    async def close(self) -> None:
        for group in tuple(self._groups):
            await group.kill()
        await asyncio.to_thread(_remove, self._home)
        if not self._closed.done():
            self._closed.set_result(Ending(EndReason.KILLED, time.time(), "host: closed"))

    def _argv(self, command: Command) -> tuple[str, ...]:
        if command.code is None:
            return command.argv
        program = self._home / f"program-{secrets.token_hex(8)}.py"
        program.write_text(command.code, encoding="utf-8", errors="surrogatepass")
        return (str(self._python), "-I", str(program))

    def _env(self, command: Command) -> dict[str, str]:
        workspace, temporary = str(self._workspace), str(self._temporary)
        path = os.environ.get("PATH", os.defpath)
        env = inside.variables(self._asked, workspace=workspace, temporary=temporary, path=path)
        # Windows programs do not start without it.
        system = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
        return {**system, **env, **command.env}


def _remove(home: Path) -> None:
    if os.rename in os.supports_dir_fd:
        remove_tree(str(home))
    else:
        shutil.rmtree(home, ignore_errors=True)
