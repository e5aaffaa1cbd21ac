"""Life and death of a box as its maker can tell them: by wait status and control group, never by the box."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

Who = Literal["keeper", "launcher", "agent", "host"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What everything in the box has used so far; zeros where nothing counts it."""

    oom_kills: int = 0
    memory_peak: int = 0
    """Bytes."""
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Death:
    """Which part of a box died first, how, and what the box had used.

    `launcher` is the program that builds the box around the agent (bubblewrap); `host` means that we
    ended it, on purpose or because its agent broke the protocol.
    """

    who: Who
    detail: str
    usage: Usage = field(default_factory=Usage)


class Life(Protocol):
    """The hold its maker has on one box."""

    async def kill(self) -> None:
        """End everything in the box; idempotent; returns when nothing of it runs any more."""

    async def ended(self) -> Death:
        """Wait for the end; once ended, returns at once. Any number of tasks may wait and be cancelled."""

    def counted(self) -> Usage | None:
        """What `usage` gives, where that is known without asking anybody; None elsewhere."""

    async def usage(self) -> Usage:
        """What the living box has used; after its end the last known."""
