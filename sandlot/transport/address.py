"""Where a server is: a URL read into a value that cannot be wrong."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Optional, Union
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from sandlot.contracts.errors import InvalidSpec

IpLiteral = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")  # RFC 1123, 2.1, and the underscores in use
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")  # RFC 3986, 3.3, without empty segments
_LONGEST_SOCKET = 107  # unix(7): sun_path less its NUL
_FORMS = "write it as http://HOST:PORT, https://HOST or unix:///PATH/TO.sock"


@dataclass(frozen=True)
class Address:
    """A server: `http` or `https` at a host and port, or `unix` at the path of a socket.

    `host` is in lower case, an IPv6 address without brackets. `prefix` comes before every target; it is
    empty or begins with a slash and does not end with one.
    """

    scheme: str
    host: str = "localhost"
    port: int = 0
    socket: str = ""
    prefix: str = ""

    @property
    def authority(self) -> str:
        """What the Host header says: the port is left out where it is the scheme's own (RFC 9110, 7.2)."""
        if self.port in (0, _PORTS.get(self.scheme)):
            return self._bracketed
        return f"{self._bracketed}:{self.port}"

    @property
    def endpoint(self) -> str:
        """Host and port, the port always."""
        return f"{self._bracketed}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine by its very name; other spellings (`127.1`) count as strange hosts."""
        if self.scheme == "unix" or self.host == "localhost":
            return True
        literal = ip_literal(self.host)
        return literal is not None and literal.is_loopback

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        """The address as people write it; it holds no secret."""
        if self.scheme == "unix":
            return f"unix://{self.socket}"
        return f"{self.scheme}://{self.authority}"


def parse_address(url: str) -> Address:
    """The server that *url* names: `http`, `https`, `unix:///run/x.sock`, `http+unix://%2Frun%2Fx.sock/prefix`.

    Raises InvalidSpec for anything else, for a user or password (a URL ends up in logs and process lists) and
    for a query or fragment; the message never shows more than scheme and host.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidSpec(f"the server's URL holds blanks, controls or other than ASCII: {_FORMS}")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidSpec(f"the server's URL cannot be read: {error}; {_FORMS}") from None
    if "@" in parts.netloc:
        raise InvalidSpec("a server's URL carries no user or password: give the key as `key` or SANDLOT_KEY")
    if parts.query or parts.fragment:
        raise InvalidSpec("a server's URL has no query and no fragment: leave out what follows ? or #")
    if parts.scheme == "unix":
        return Address("unix", socket=_socket(parts.netloc + parts.path if not parts.netloc else ""))
    if parts.scheme == "http+unix":
        return Address("unix", socket=_socket(parts.netloc), prefix=_prefix(parts.path))
    if parts.scheme in _PORTS:
        return Address(parts.scheme, _host(parts), _port(parts), prefix=_prefix(parts.path))
    raise InvalidSpec(f"{parts.scheme or 'no scheme'!r} is not a server's scheme: {_FORMS}")


def ip_literal(host: str) -> Optional[IpLiteral]:
    """*host* as an IP address, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if "[" in parts.netloc:
        literal = ip_literal(host)
        if literal is None or literal.version != 6 or "%" in host:
            raise InvalidSpec(f"{host!r} in brackets is not an IPv6 address")
        return str(literal)
    if len(host) > 253 or not all(map(_LABEL.fullmatch, host.split("."))):
        raise InvalidSpec(f"{host!r} is not a host's name or address: {_FORMS}")
    return host


def _port(parts: SplitResult) -> int:
    digits = parts.netloc.rpartition("]")[2].partition(":")[2]
    has_colon = ":" in parts.netloc.rpartition("]")[2]
    if not has_colon:
        return _PORTS[parts.scheme]
    if not re.fullmatch(r"[0-9]{1,5}", digits) or not 0 < int(digits) < 65536:
        raise InvalidSpec(f"{digits!r} is not a port: 1 to 65535")
    return int(digits)


def _prefix(path: str) -> str:
    prefix = path.rstrip("/")
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(
        unquote_to_bytes(prefix).decode("latin-1").split("/")
    ):
        raise InvalidSpec("the path of a server's URL has empty or dot segments or needs escapes")
    return prefix


def _socket(escaped: str) -> str:
    raw = unquote_to_bytes(escaped)
    path = raw.decode("utf-8", "surrogateescape")
    if not path.startswith("/") or not path.isprintable():
        raise InvalidSpec("the path of a socket is absolute and printable: unix:///run/sandlot/server.sock")
    if len(raw) > _LONGEST_SOCKET:
        raise InvalidSpec(f"the path of a socket is {len(raw)} bytes long: {_LONGEST_SOCKET} at most")
    return path
