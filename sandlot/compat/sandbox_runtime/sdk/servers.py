"""Which server a session is on: the servers there are, how they are, and one of them chosen."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import secrets
import time
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Protocol, Sequence

from sandlot.contracts.errors import SandlotError

from .exchange import Exchange

_NO_KUBERNETES = (
    "servers of Kubernetes are not looked up: name them, servers=['http://SERVICE.NAMESPACE:9101']"
)


@dataclass
class ServerInfo:
    """A server and how it was when last asked: `cause` says why it cannot be used, empty when it can.

    `is_well` is a 200. Another answer is something to fall back on, as the original does.
    """

    url: str
    is_well: bool = False
    cause: str = "it was not asked yet"
    asked_at: Optional[float] = None


class ServiceDiscovery(Protocol):
    """Knows the servers."""

    async def get_servers(self) -> List[ServerInfo]:
        """All of them, as they are now."""


class StaticServiceDiscovery:
    """The servers it was given, asked for their health at most every *check_interval* seconds."""

    def __init__(self, servers: Sequence[str], check_interval: float, exchange: Exchange) -> None:
        self.servers = [ServerInfo(url) for url in servers]
        self.check_interval = check_interval
        self._exchange = exchange

    async def get_servers(self) -> List[ServerInfo]:
        due = [server for server in self.servers if self._is_due(server, time.monotonic())]
        await asyncio.gather(*map(self._ask, due))
        return self.servers

    def _is_due(self, server: ServerInfo, now: float) -> bool:
        return server.asked_at is None or now - server.asked_at > self.check_interval

    async def _ask(self, server: ServerInfo) -> None:
        server.is_well = False
        try:
            status = await self._exchange.health(server.url.rstrip("/"))
        except SandlotError as error:
            server.cause = error.message
        except asyncio.TimeoutError:
            server.cause = "it did not answer in time"
        else:
            server.is_well, server.cause = status == 200, ""
        server.asked_at = time.monotonic()


class KubernetesServiceDiscovery:
    """No server at all, as in the original, which never looked any up."""

    def __init__(self, namespace: str, service_name: str) -> None:
        self._name = f"{service_name}.{namespace}"

    async def get_servers(self) -> List[ServerInfo]:
        return [ServerInfo(self._name, cause=_NO_KUBERNETES)]


class ServerSelector:
    """Chooses for *id_to_select*, the same one whichever process asks, as long as it is healthy.

    *selector_type* "random" and "round_robin" choose anew each time, for servers that share their sessions.
    """

    def __init__(
        self, id_to_select: str, service_discovery: ServiceDiscovery, selector_type: str = "mod"
    ) -> None:
        self.id_to_select = id_to_select
        self.service_discovery = service_discovery
        self.selector_type = selector_type
        self.causes: Dict[str, str] = {}
        self._turns: Iterator[int] = itertools.count()

    async def select_server(self) -> Optional[str]:
        """The URL of a server, None when none can be used; `causes` says why, by URL."""
        servers = await self.service_discovery.get_servers()
        self.causes = {server.url: server.cause for server in servers if server.cause}
        usable = [server.url for server in servers if not server.cause]
        well = [server.url for server in servers if server.is_well]
        return self._chosen(well or usable)

    def _chosen(self, urls: Sequence[str]) -> Optional[str]:
        if not urls:
            return None
        if self.selector_type == "random":
            return secrets.choice(urls)
        if self.selector_type == "round_robin":
            return urls[next(self._turns) % len(urls)]
        return nearest(self.id_to_select, urls)


def nearest(session: str, urls: Sequence[str]) -> str:
    """The server of *session*: the highest of the digests of it with each server.

    So a server that comes or goes moves its own sessions and no others (rendezvous hashing, Thaler and
    Ravishankar 1998), and no process disagrees, as it would by `hash`.
    """
    return max(urls, key=lambda url: hashlib.sha256(f"{url} {session}".encode("utf-8", "replace")).digest())


def discovery_of(kind: str, params: Mapping[str, Any], exchange: Exchange) -> ServiceDiscovery:
    """The discovery that *kind* names, with the caller's *params*; names it has no use for are left out."""
    if kind == "k8s":
        wanted = ("namespace", "service_name")
        return KubernetesServiceDiscovery(**{name: params[name] for name in wanted if name in params})
    return StaticServiceDiscovery(params.get("servers") or [], params.get("check_interval", 60.0), exchange)
