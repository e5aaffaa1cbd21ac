"""Service: the platform's verbs on typed values, the same locally and over the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional, Protocol, Tuple

from .capability import Feature
from .command import Command
from .engine import Box
from .lease import Ending, Lease, State
from .result import Result
from .spec import Isolation, SandboxSpec


@dataclass(frozen=True)
class RunRequest:
    """One command in a sandbox of its own: made, used once, gone.

    `files` are written into the workspace before the command runs (path -> content).
    """

    command: Command
    spec: SandboxSpec = field(default_factory=SandboxSpec)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class SandboxStatus:
    """A sandbox as its owner sees it. `engine` to `features` are those of its newest box.

    `is_durable` says whether its workspace outlives its box and the server. `ending` tells why a stopped
    sandbox's last box, or an ended sandbox, ended. `created` is in seconds since the epoch.
    """

    id: str
    engine: str
    isolation: Isolation
    enforced: Tuple[str, ...]
    lease: Lease
    state: State = State.RUNNING
    features: Feature = Feature.NOTHING
    created: float = 0.0
    is_durable: bool = False
    ending: Optional[Ending] = None


class Service(Protocol):
    """What every face (CLI, SDK, server, client) speaks. A sandbox's id is its owner's to choose."""

    async def run(self, request: RunRequest) -> Result:
        """Run one command in a fresh sandbox and give its Result. Raises SandlotError kinds."""

    async def ensure(self, sandbox: str, spec: SandboxSpec) -> SandboxStatus:
        """Create the sandbox called *sandbox*, or claim the one that exists; concurrent calls make one.

        Claiming renews its lease, with the ttl of *spec* when that has one. Raises Conflict when it exists
        with another spec than *spec*, whose unset values mean "whatever it has".
        """

    async def status(self, sandbox: str) -> SandboxStatus:
        """What is known of a sandbox, ended ones included as long as they are remembered. Raises NotFound."""

    async def touch(self, sandbox: str) -> SandboxStatus:
        """Renew the lease. Raises NotFound; an ended sandbox is not found."""

    async def reach(self, sandbox: str) -> Box:
        """The box of a sandbox, started anew when it is stopped. Raises NotFound, Unavailable kinds.

        The box is lent: `delete` ends it, never `Box.close`. It also implements the optional protocols of
        contracts.engine that its features announce.
        """

    async def delete(self, sandbox: str) -> None:
        """End the sandbox and its workspace. Raises NotFound."""

    async def list(self, *, ended: bool = False) -> Tuple[SandboxStatus, ...]:
        """The sandboxes that have not ended, by id; with *ended* also those remembered of the ended ones."""

    async def close(self) -> None:
        """Let go: what is durable stays for the next service, everything else ends; idempotent."""
