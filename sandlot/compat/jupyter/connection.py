"""Connection: where a kernel listens, and the key that signs its messages.

Source: https://jupyter-client.readthedocs.io/en/stable/kernels.html#connection-files.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from sandlot.contracts.errors import InvalidSpec, NotFound, Unsupported

CHANNELS: Final = ("shell", "iopub", "stdin", "control", "hb")
"""The sockets of a kernel, by the names that connection files give their ports."""

_SCHEME = "hmac-sha256"
_MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Connection:
    """Five sockets on this machine: `tcp` at ports of an address, `ipc` at paths that begin with *ip*.

    A port of 0 is one that is free, for `tcp`.
    """

    key: bytes = field(repr=False)
    ports: Mapping[str, int]
    ip: str = "127.0.0.1"
    transport: str = "tcp"
    scheme: str = _SCHEME

    def __post_init__(self) -> None:
        """Refuse what strangers could reach or forge. Raises InvalidSpec and Unsupported."""
        if not self.key:
            raise InvalidSpec("the connection has no key: a kernel takes no messages that are not signed")
        if self.transport not in ("tcp", "ipc"):
            raise Unsupported(f"transport {self.transport!r:.40} is not offered: use tcp or ipc")
        if self.transport == "tcp" and not _is_loopback(self.ip):
            raise Unsupported(
                f"a kernel listens on this machine only, not at {self.ip!r:.60}: use 127.0.0.1, and ssh or a "
                "Jupyter server to reach it from elsewhere"
            )

    def endpoint(self, channel: str) -> str:
        """The address of one socket, as ZeroMQ writes it."""
        port = self.ports[channel]
        if self.transport == "ipc":
            return f"ipc://{self.ip}-{port}"
        ip = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"tcp://{ip}:{port or '*'}"

    def at(self, ports: Mapping[str, int]) -> Connection:
        """The same at *ports*."""
        return replace(self, ports=dict(ports))

    def anywhere(self) -> Connection:
        """The same at ports that are free."""
        return self.at(dict.fromkeys(CHANNELS, 0))

    def facts(self) -> dict[str, Any]:
        """As jupyter_client tells a connection."""
        ports = {f"{name}_port": self.ports[name] for name in CHANNELS}
        names = {"ip": self.ip, "transport": self.transport, "signature_scheme": self.scheme}
        return {**names, **ports, "key": self.key}


def connection_from(facts: Mapping[str, Any]) -> Connection:
    """The connection that *facts* tell, as connection files do. Raises InvalidSpec and Unsupported."""
    if facts.get("curve_publickey") is not None:
        raise Unsupported("encrypted sockets are not offered: leave transport_encryption disabled")
    key = facts.get("key", "")
    ports = {name: facts.get(f"{name}_port", 0) for name in CHANNELS}
    if not all(type(port) is int and 0 <= port < 65_536 for port in ports.values()):
        raise InvalidSpec(f"the ports of a connection are numbers below 65536, not {ports!r:.120}")
    texts = {"ip": "127.0.0.1", "transport": "tcp", "signature_scheme": _SCHEME}
    ip, transport, scheme = (facts.get(name) or usual for name, usual in texts.items())
    if not all(isinstance(text, str) for text in (ip, transport, scheme)) or not isinstance(key, str | bytes):
        raise InvalidSpec("ip, transport, signature_scheme and key of a connection are text")
    return Connection(key if isinstance(key, bytes) else key.encode(), ports, ip, transport, scheme)


def read(path: Path) -> Connection:
    """The connection of a connection file. Raises NotFound, InvalidSpec and Unsupported."""
    try:
        text = path.read_bytes()[:_MOST_BYTES]
    except OSError as error:
        raise NotFound(f"the connection file {str(path)!r} cannot be read: {error.strerror}") from error
    try:
        facts = json.loads(text)
    except ValueError as error:
        raise InvalidSpec(f"the connection file {str(path)!r} holds no JSON: {error}") from error
    if not isinstance(facts, dict):
        raise InvalidSpec(f"the connection file {str(path)!r} holds no JSON object")
    return connection_from(facts)


def _is_loopback(ip: str) -> bool:
    try:
        return ip == "localhost" or ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return False
