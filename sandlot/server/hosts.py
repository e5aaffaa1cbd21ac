"""By which names the server may be called, and from which web pages (pure).

A page in a browser can reach a server on loopback by a name that resolves there (DNS rebinding), and any
page can send it requests blindly. A page cannot choose its own Host and Origin, so both are compared with
exact lists.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandlot.settings import Settings

from .listening import Place


@dataclass(frozen=True)
class HostRules:
    """The names a server answers to, in lower case. `hosts` of None means any name."""

    hosts: frozenset[str] | None
    origins: frozenset[str] = frozenset()

    def allows_host(self, host: str | None) -> bool:
        """Whether a request that says *host* is meant for this server."""
        if self.hosts is None:
            return True
        if host is None:
            return False
        host = host.lower()
        return host in self.hosts or _without_port(host) + ":*" in self.hosts

    def allows_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether a page of *origin* may send it: pages of this server itself, and those allowed by name."""
        if origin is None:
            return True
        origin = origin.lower()
        own = {f"http://{host.lower()}", f"https://{host.lower()}"} if host else set()
        return origin in self.origins or (origin in own and self.allows_host(host))


def rules(place: Place, settings: Settings) -> HostRules:
    """The rules of a server that listens at *place*.

    At loopback: loopback's names with its port or none, and the hosts allowed by name. Elsewhere the hosts
    allowed by name; without any, every name, because keys are required there and a page that was tricked
    here has none. At a Unix socket every name: no browser reaches one.
    """
    origins = frozenset(settings.allow_origins)
    named = frozenset(_entries(settings.allow_hosts))
    if place.port is None or not (named or place.is_local):
        return HostRules(None, origins)
    own = {"127.0.0.1", "localhost", "[::1]", place.literal} if place.is_local else set()
    return HostRules(named | own | {f"{name}:{place.port}" for name in own}, origins)


def _entries(hosts: Iterable[str]) -> Iterable[str]:
    """An allowed host without a port is allowed with every port."""
    for host in hosts:
        yield host
        if _without_port(host) == host:
            yield host + ":*"


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and not name.endswith(":") else host
