"""What tests of sandboxes stand on: a clock to be set, a store of workspaces in memory, a patient look."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping

from sandlot.contracts.errors import DiskFull
from sandlot.contracts.lease import Lease
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec, WorkspaceKind
from sandlot.sandboxes.record import Record

TTL = Seconds(900)
LEASED = SandboxSpec(ttl=TTL)


class Clock:
    """Stands still until it is set."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class MemoryStore:
    """Implements means.WorkspaceStore; `is_full` lets no workspace in."""

    def __init__(self, *proven: WorkspaceKind) -> None:
        self.proven = proven or (WorkspaceKind.IMAGE,)
        self.kept: dict[str, tuple[WorkspaceKind, int, int]] = {}
        self.is_full = False

    def kinds(self) -> Mapping[WorkspaceKind, str | None]:
        every = (WorkspaceKind.IMAGE, WorkspaceKind.DIRECTORY)
        return {kind: None if kind in self.proven else "not here" for kind in every}

    def create(self, name: str, kind: WorkspaceKind, size: int, inodes: int) -> None:
        if self.is_full:
            raise DiskFull("full")
        assert name not in self.kept
        self.kept[name] = (kind, size, inodes)

    def remove(self, name: str) -> None:
        self.kept.pop(name, None)

    def names(self) -> list[str]:
        return sorted(self.kept)

    def sweep(self) -> int:
        return 0


def record(owner: str = "local", name: str = "one", created: float = 1_000_000.0) -> Record:
    return Record(owner, name, secrets.token_hex(16), LEASED, Lease(TTL, created), created)


async def until(is_so: Callable[[], bool]) -> None:
    """Let other tasks run until *is_so*; the test's own time limit bounds it."""
    while not is_so():  # noqa: ASYNC110 - what is waited for is a count, and nobody tells of counts
        await asyncio.sleep(0)
