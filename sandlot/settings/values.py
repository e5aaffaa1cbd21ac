"""Settings: the values in force, as one frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

from sandlot.contracts.quantity import Bytes, Cores, Seconds
from sandlot.contracts.spec import DEFAULT_TIMEOUT, Isolation, Limits, Network

SECRETS = ("key", "document_token")
"""Settings whose value is never shown."""
DEFAULT_GRACE = Seconds(20.0)
DEFAULT_POOL_WAIT = Seconds(5.0)
DEFAULT_UPLOAD = Bytes(2 * 2**30)
DEFAULT_SESSION_TTL = Seconds(86400.0)


@dataclass(frozen=True)
class Settings:
    """The values in force. A limit of None means the default of `contracts.spec` where it can be enforced.

    `origins` names for each field where its value came from: `default`, `flag --memory`,
    `variable SANDLOT_MEMORY`, `variable SANDBOX_MEMORY_LIMIT` or `file /etc/sandlot/config.toml:3`.
    """

    data_directory: Path
    """Environments, agent archives and keys; boxes read from here, so it lies in no private home of root."""
    runtime_directory: Path
    """Sockets and locks of running processes."""
    engine: Optional[str] = None
    isolation: Optional[Isolation] = None
    environment: Optional[str] = None
    """None means `default` if such an environment exists, else `system`."""
    network: Network = Network.NONE
    timeout: Seconds = DEFAULT_TIMEOUT
    memory: Optional[Bytes] = None
    cpu: Optional[Cores] = None
    pids: Optional[int] = None
    disk: Optional[Bytes] = None
    inodes: Optional[int] = None
    output: Optional[Bytes] = None
    open_files: Optional[int] = None

    url: Optional[str] = None
    """The server that client verbs speak to, without a slash at its end."""
    key: Optional[str] = field(default=None, repr=False)
    """The API key shown to that server: given by `key`, or read from the file that the setting `key_file`
    names."""

    host: str = "127.0.0.1"
    """Where `serve` listens, with `port`; 0 is a free one."""
    port: int = 8080
    unix: Optional[Path] = None
    """A Unix socket to listen at instead of host and port."""
    auth: str = "auto"
    """`keys`, `local` (keyless, loopback or Unix socket only), or `auto`: keys once there is one."""
    allow_hosts: Tuple[str, ...] = ()
    """Names, with or without a port, by which clients may call the server besides loopback's."""
    allow_origins: Tuple[str, ...] = ()
    """Web origins whose pages may call the server, such as `https://console.example`."""
    grace: Seconds = DEFAULT_GRACE
    """How long a server that was told to stop waits for what runs."""
    workspaces: str = "auto"
    """What durable workspaces lie on: `disk`, `memory` (they are not durable), or what works: `auto`."""
    most_sandboxes: int = 1000
    """Sandboxes of a server at once, and those of one owner."""
    most_sandboxes_per_owner: int = 200
    most_commands: int = 256
    """Commands of a server that run at once, and those that wait for their turn."""
    most_waiting: int = 512
    most_upload: Bytes = DEFAULT_UPLOAD
    """Bytes in the body of one upload."""
    pool_depth: int = 8
    """Boxes kept ready per environment by a server, where the engine can make them ahead; 0 for none."""
    pool_wait: Seconds = DEFAULT_POOL_WAIT
    """How long a request waits for a box when none is ready and none is being made for it."""
    pool_keep: Tuple[str, ...] = ("system",)
    """Environments kept ready from the start, besides the one used by default; others when asked for."""
    compiler: str = "auto"
    """The C compiler that makes the first process of boxes cheap: a program, `auto` for the first of cc, gcc
    and clang, or `none` for boxes whose first process is an interpreter."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Container image names that clients say, and the environment each of them means."""
    session_ttl: Seconds = DEFAULT_SESSION_TTL
    """How long a session of a dialect without leases lasts after its last use."""
    document_services: Tuple[str, ...] = ()
    """Where documents may be fetched from for a sandbox: first the service that is asked, then others that
    requests may name or that the service sends us on to."""
    document_token: Optional[str] = field(default=None, repr=False)
    """The token shown to that service when the request brings none."""
    allow_process: bool = False
    """Whether the engine `process` may be used over HTTP: its programs share the server's uid."""
    allow_network: bool = False
    """Whether callers may give sandboxes the host's network, with all that listens on this host."""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def limits(self) -> Limits:
        """The limits that were set, as one value."""
        return Limits(**{f.name: getattr(self, f.name) for f in fields(Limits)})

    def chosen_limits(self) -> str:
        """The limits that were set, each with its origin, as people are told; empty for none."""
        return ", ".join(f"{name} ({self.origins[name]})" for name in self.limits.asked())

    @property
    def environments_directory(self) -> Path:
        """Where named environments live, one folder each."""
        return self.data_directory / "environments"

    @property
    def keys_file(self) -> Path:
        """Where a server keeps its API keys, as hashes."""
        return self.data_directory / "keys.json"

    def to_json(self) -> Dict[str, Dict[str, Any]]:
        """Every field with its value in JSON's types and its origin; of a secret only that it is set."""
        names = [f.name for f in fields(self) if f.name != "origins"]
        return {name: {"value": self._shown(name), "origin": self.origins[name]} for name in names}

    def _shown(self, name: str) -> Any:
        value = getattr(self, name)
        if name in SECRETS:
            return None if value is None else "set"
        return _plain(value)


DEFAULT_URL = f"http://{Settings.host}:{Settings.port}"
"""The server that is meant when none is named: where `serve` listens when nothing else is chosen."""


def _plain(value: Any) -> Any:
    if isinstance(value, Isolation):
        return value.name.lower()
    if isinstance(value, Network):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value) if isinstance(value, Path) else value
