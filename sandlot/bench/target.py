"""The server under test: one of the bench's own, or one that runs already."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from sandlot.client import AsyncClient
from sandlot.contracts.service import Service
from sandlot.transport import aio
from sandlot.transport.base import AsyncTransport
from sandlot.wire.flows.exchange import asking

from . import private_server
from .session import Progress

_READY_TIMEOUT = 30.0
_READY_AGAIN = 0.1


@dataclass(frozen=True, slots=True)
class Reached:
    """What `Stage` needs to know of a server, and `words` for the document."""

    words: str
    service: Service | None = None
    server: int | None = None
    is_near: bool = True


@asynccontextmanager
async def reached(
    url: str | None, key: str | None, *, is_needed: bool, progress: Progress
) -> AsyncIterator[Reached]:
    """The server at *url*, or without one a private server that ends with the block; none if not needed."""
    if not is_needed:
        yield Reached("none")
    elif url is not None:
        async with _transport(url, key) as there:
            yield Reached("given server", AsyncClient(transport=there), is_near=is_near(url))
    else:
        progress("starting a server")
        async with private_server.running() as server, _transport(server.url, None) as there:
            await _ready(there, progress)
            yield Reached("private server", AsyncClient(transport=there), server.process)


def is_near(url: str) -> bool:
    """Whether the server at *url* is surely on this machine, so that both read one clock."""
    parts = urlsplit(url)
    if "unix" in parts.scheme or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


@asynccontextmanager
async def _transport(url: str, key: str | None) -> AsyncIterator[AsyncTransport]:
    transport = aio.connect(url, key=key)
    try:
        yield transport
    finally:
        await transport.close()


async def _ready(server: AsyncTransport, progress: Progress) -> None:
    """Wait until the server has proven its engine: that work would be measured too."""
    try:
        async with asyncio.timeout(_READY_TIMEOUT):
            while not await _says_ready(server):  # noqa: ASYNC110 - HTTP has no way to be told
                await asyncio.sleep(_READY_AGAIN)
    except TimeoutError:
        progress(f"the server was not ready within {_READY_TIMEOUT:.0f} s: it is measured as it is")


async def _says_ready(server: AsyncTransport) -> bool:
    async with server.open(asking("GET", "/readyz")) as answer:
        async for _ in answer:
            pass  # the whole answer, so that its connection is kept for the measurement
        return answer.head.status == 200
