"""Service: the platform's verbs on typed values, the same locally and over the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import AsyncIterable, AsyncIterator, Mapping, Protocol, Tuple

from .command import Command
from .events import Event
from .paths import WORKSPACE
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
    """A live sandbox as others see it."""

    id: str
    engine: str
    isolation: Isolation
    enforced: Tuple[str, ...]


class Service(Protocol):
    """What every face (CLI, SDK, server, client) speaks."""

    async def run(self, request: RunRequest) -> Result:
        """Run one command in a fresh sandbox and give its Result. Raises SandlotError kinds."""

    async def ensure(self, sandbox: str, spec: SandboxSpec) -> SandboxStatus:
        """Create the sandbox called *sandbox*, or give the one that exists; concurrent calls make one."""

    def execute(self, sandbox: str, command: Command) -> AsyncIterator[Event]:
        """Run *command* in a live sandbox. Raises NotFound."""

    async def put(self, sandbox: str, tar: AsyncIterable[bytes], path: PurePosixPath = WORKSPACE) -> None:
        """Unpack a tar stream under *path*, all or nothing."""

    def get(self, sandbox: str, path: PurePosixPath = WORKSPACE) -> AsyncIterator[bytes]:
        """The tar stream of *path*."""

    async def delete(self, sandbox: str) -> None:
        """End the sandbox. Raises NotFound."""

    async def list(self) -> Tuple[SandboxStatus, ...]:
        """The live sandboxes."""

    async def close(self) -> None:
        """End every sandbox of this service; idempotent."""
