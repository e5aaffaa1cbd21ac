"""The server under test: one of the bench's own, or one that runs already."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sandlot.client import AsyncClient
from sandlot.contracts.errors import ConnectionLost, EngineUnavailable
from sandlot.contracts.service import Service
from sandlot.transport import aio
from sandlot.transport.base import AsyncTransport

from . import private_server, talk
from .benchmark import Progress, Wrong
from .connection import Connection, Door, door

_READY_TIMEOUT = 30.0
_READY_AGAIN = 0.1


@dataclass(frozen=True, slots=True)
class Facts:
    """Who makes the server's sandboxes, the walls and limits that hold for them, and who was asked before."""

    engine: str
    isolation: str
    enforced: tuple[str, ...]
    failover: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reached:
    """What `Stage` needs to know of a server; `words` and `facts` are for the document."""

    words: str
    service: Service | None = None
    door: Door | None = None
    server: int | None = None
    place: Path | None = None
    is_near: bool = True
    facts: Facts | None = None


@asynccontextmanager
async def reached(
    url: str | None, key: str | None, environment: str | None, *, is_needed: bool, progress: Progress
) -> AsyncIterator[Reached]:
    """The server at *url*, or without one a private server that ends with the block; none if not needed.

    *environment* is lent to a private server. Raises InvalidSpec for a URL the bench does not speak, and
    what keeps the server from running one program.
    """
    if not is_needed:
        yield Reached("none")
    elif url is not None:
        entrance = door(url, key)
        async with _transport(url, key) as there:
            facts = examined(entrance)
            yield Reached(
                "given server",
                AsyncClient(transport=there),
                entrance,
                is_near=is_near(url),
                facts=facts,
            )
    else:
        progress("starting a server")
        async with (
            private_server.running(environment=environment) as server,
            _transport(server.url, None) as there,
        ):
            entrance = door(server.url)
            with closing(Connection(entrance)) as connection:
                await ready(connection, entrance, progress)
            yield Reached(
                "private server",
                AsyncClient(transport=there),
                entrance,
                server.process,
                server.place,
                facts=examined(entrance),
            )


def examined(entrance: Door) -> Facts:
    """What a result of the server's says about who made its sandbox, and behind which walls.

    Raises ConnectionLost when there is no server, EngineUnavailable when it cannot run a program.
    """
    with closing(Connection(entrance)) as connection:
        try:
            result = talk.printed(connection.exchange(talk.Calls(entrance).run("pass")), "")
        except OSError as cause:
            raise ConnectionLost(f"there is no server at {entrance.address}: {cause}") from cause
        except Wrong as cause:
            raise EngineUnavailable(f"the server at {entrance.address} runs no program: {cause}") from cause
    return Facts(result["engine"], result["isolation"], tuple(result["enforced"]), tuple(result["failover"]))


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


async def ready(connection: Connection, entrance: Door, progress: Progress) -> None:
    """Wait until the server has proven its engine: that work would be measured too."""
    request = entrance.request("GET", "/readyz")
    deadline = time.monotonic() + _READY_TIMEOUT
    while connection.exchange(request).status != 200:
        if time.monotonic() > deadline:
            progress(f"the server was not ready within {_READY_TIMEOUT:.0f} s: it is measured as it is")
            return
        await asyncio.sleep(_READY_AGAIN)
