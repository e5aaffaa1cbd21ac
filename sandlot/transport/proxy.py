"""Which proxy leads to a server, decided from the variables curl and urllib read."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass, field
from typing import Dict, Iterable, Mapping, Optional
from urllib.parse import unquote_to_bytes

from sandlot.contracts.errors import InvalidSpec

from .address import Address, IpLiteral, ip_literal, parse_address


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy: plain requests go to it whole, everything else through a tunnel (CONNECT)."""

    address: Address
    authorization: str = field(default="", repr=False)

    def fields(self) -> Dict[str, str]:
        """The headers meant for the proxy itself."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


def proxy_for(address: Address, variables: Mapping[str, str]) -> Optional[Proxy]:
    """The proxy on the way to *address*, or None.

    Lower-case names win, and an empty one means none, as in urllib. Upper-case HTTP_PROXY is ignored where
    REQUEST_METHOD says that a web server set the variables from a request (CVE-2016-5385). Sockets and
    loopback addresses are never asked of a proxy. Raises InvalidSpec for a proxy that is not plain HTTP.
    """
    if address.is_loopback:
        return None
    name = f"{address.scheme}_proxy"
    url = _variable(variables, name)
    if url is None:
        name, url = "all_proxy", _variable(variables, "all_proxy")
    if not url or _bypasses(address, (_variable(variables, "no_proxy") or "").split(",")):
        return None
    return _proxy(name, url)


def _variable(variables: Mapping[str, str], name: str) -> Optional[str]:
    if name in variables:
        return variables[name].strip()
    if name == "http_proxy" and "REQUEST_METHOD" in variables:
        return None
    upper = variables.get(name.upper())
    return upper if upper is None else upper.strip()


def _bypasses(address: Address, entries: Iterable[str]) -> bool:
    return any(_matches(address, entry.strip().lower()) for entry in entries)


def _matches(address: Address, entry: str) -> bool:
    """Whether *entry* of no_proxy is `*`, the host, its network, or a domain above it; a port must match."""
    if entry == "*":
        return True
    literal = ip_literal(address.host)
    if literal is not None:
        return _is_within(literal, entry) or entry in (address.authority, address.endpoint)
    host, name = address.host.rstrip("."), entry.lstrip(".")
    if name.endswith(f":{address.port}"):
        name = name.rpartition(":")[0]
    return bool(name) and (host == name or host.endswith("." + name))


def _is_within(literal: IpLiteral, entry: str) -> bool:
    try:
        return literal in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def _proxy(name: str, url: str) -> Proxy:
    user, at, rest = (url.partition("://")[2] or url).rpartition("@")
    scheme = url.partition("://")[0] if "://" in url else "http"
    if scheme.lower() != "http":
        raise InvalidSpec(
            f"{name} names a proxy that is spoken to by other than http: only http:// is supported"
        )
    try:
        address = parse_address(f"http://{rest.rstrip('/')}")
    except InvalidSpec:
        raise InvalidSpec(f"{name} is not a proxy's URL: write it as http://HOST:PORT") from None
    if address.prefix:
        raise InvalidSpec(f"{name} is not a proxy's URL: leave out its path")
    if not at:
        return Proxy(address)
    return Proxy(address, "Basic " + base64.b64encode(unquote_to_bytes(user)).decode("ascii"))
