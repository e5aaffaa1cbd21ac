"""Backend: one server of NoxRunner v1, what kind it is, and the sandboxes held there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from sandlot.client.async_driver import AsyncDriver
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import ConnectionLost, EngineUnavailable, SandlotError, TimedOut
from sandlot.contracts.spec import Network, SandboxSpec
from sandlot.engines import proof
from sandlot.keeper.launch import Consumption
from sandlot.transport import aio
from sandlot.wire.flows import sandboxes
from sandlot.wire.flows.exchange import Flow

from . import asked, box, plain, plain_wire
from .tenure import Tenure, Verbs

Value = TypeVar("Value")

# Nobody here sees the server's control groups: what it says of them is its word.
_ITS_WORD = Consumption(oom_kills=0, memory_peak=0, cpu_seconds=0.0, pids=0)


class Backend:
    """Makes boxes on the server at *url*; what kind of server it is shows with the first."""

    def __init__(self, url: str, key: str | None) -> None:
        """Speak to *url* and show it *key*; nothing is sent yet. Raises InvalidSpec."""
        self._driver = AsyncDriver(aio.connect(url, key=key))
        self._is_plain: bool | None = None
        self._tenures: set[Tenure] = set()
        self._busy: set[asyncio.Future[None]] = set()
        self._is_closed = False

    async def make(self, spec: SandboxSpec) -> Box:
        """As Engine.create; raises besides what the server answers."""
        with self._making():
            if await self._proves_nothing():
                return await self._on_plain(spec)
            return await self._on_server(spec)

    @asynccontextmanager
    async def trial(self) -> AsyncIterator[tuple[Box, Consumption]]:
        """A box for engines.proof, of the least that can be asked."""
        network = Network.FULL if await self._proves_nothing() else None
        made = await self.make(SandboxSpec(network=network))
        try:
            yield made, _ITS_WORD
        finally:
            await made.close()

    async def close(self) -> None:
        """End every sandbox held here. Raises the first error; leases end what could not be told to end."""
        self._is_closed = True
        if self._busy:
            await asyncio.wait(self._busy)
        endings = await asyncio.gather(*(each.close() for each in self._tenures), return_exceptions=True)
        await self._driver.close()
        for ending in endings:
            if isinstance(ending, SandlotError):
                raise ending

    async def _proves_nothing(self) -> bool:
        if self._is_plain is None:
            self._is_plain = await self._driver.value(plain_wire.is_plain(_new_name()))
        return self._is_plain

    async def _on_server(self, spec: SandboxSpec) -> Box:
        name, wanted = _new_name(), asked.of_server(spec)
        try:
            status = await self._made(name, sandboxes.ensure(name, wanted), box.VERBS)
        except EngineUnavailable as error:
            raise asked.refusal(wanted, error) from error
        tenure = await self._held(name, spec, box.VERBS)
        try:
            asked.check(spec, status)
        except SandlotError:
            await tenure.close()
            raise
        return box.ServerBox(self._driver, replace(status, id=name), tenure)

    async def _on_plain(self, spec: SandboxSpec) -> Box:
        name, image = _new_name(), asked.of_plain(spec)
        await self._made(name, plain_wire.ensure(name, asked.lease_of(spec), image), plain.VERBS)
        tenure = await self._held(name, spec, plain.VERBS)
        return plain.PlainBox(self._driver, name, plain.Habits.of(spec), tenure)

    async def _made(self, name: str, flow: Flow[Value], verbs: Verbs) -> Value:
        try:
            return await self._driver.value(flow)
        except (asyncio.CancelledError, ConnectionLost, TimedOut):
            # It may be there all the same, for as long as its lease.
            task = asyncio.ensure_future(self._forget(verbs.delete(name)))
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
            raise

    async def _forget(self, deletion: Flow[None]) -> None:
        with suppress(SandlotError):
            await self._driver.value(deletion)

    async def _held(self, name: str, spec: SandboxSpec, verbs: Verbs) -> Tenure:
        tenure = Tenure(self._driver, name, asked.lease_of(spec), verbs, self._tenures.discard)
        self._tenures.add(tenure)
        if self._is_closed:
            await tenure.close()
            raise EngineUnavailable("engine remote was closed while it made a box: make a new one")
        return tenure

    @contextmanager
    def _making(self) -> Iterator[None]:
        """`close` waits for what is under way: what it makes has to go as well."""
        busy: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._busy.add(busy)
        try:
            yield
        finally:
            busy.set_result(None)
            self._busy.discard(busy)


async def tried(made: Box, consumption: Consumption) -> tuple[str, ...]:
    """As proof.tried; of a box that claims nothing only that it runs programs. Raises ProbeFailed."""
    if not isinstance(made, plain.PlainBox):
        return await proof.tried(made, consumption)
    await plain.prove(made)
    return ()


def _new_name() -> str:
    return f"remote-{secrets.token_hex(16)}"
