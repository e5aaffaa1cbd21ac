"""Lease: how long a sandbox lasts, and in what state it is meanwhile (pure: every clock is lent)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Optional

from .quantity import Seconds

DEFAULT_TTL = Seconds(900.0)
"""The lease of a sandbox for which nothing was asked, in seconds."""


class State(enum.Enum):
    """Whether a sandbox can be used, and whether its box is up."""

    RUNNING = "running"
    """Its box is up."""
    STOPPED = "stopped"
    """Its box is down and its workspace kept: the next use starts another box on it."""
    ENDED = "ended"
    """It is gone with its workspace; only its record is left for a while, to tell why."""


class EndReason(enum.Enum):
    """Why a sandbox, or the last box of a stopped one, ended."""

    EXPIRED = "expired"
    DELETED = "deleted"
    KILLED = "killed"
    """Its box was killed from outside sandlot, or because its agent broke the protocol."""
    OUT_OF_MEMORY = "out_of_memory"
    BOX_DIED = "box_died"
    HOST_RESTART = "host_restart"
    """The server or the machine stopped while it was up."""
    SHUTDOWN = "shutdown"
    """The server was told to stop and ended the box in order."""


@dataclass(frozen=True)
class Lease:
    """Until when a sandbox lasts: `ttl` seconds from `active`, the last time somebody claimed it.

    Times are seconds since the epoch. A `ttl` of None ends with its holder and never by time.
    """

    ttl: Optional[Seconds]
    active: float

    @property
    def expires(self) -> Optional[float]:
        """When it runs out; None for never."""
        return None if self.ttl is None else self.active + self.ttl

    def is_due(self, now: float) -> bool:
        """Whether it has run out at *now*."""
        return self.expires is not None and self.expires <= now

    def touched(self, now: float, ttl: Optional[Seconds] = None) -> Lease:
        """The lease claimed anew at *now*, with *ttl* instead of its own when one is given."""
        return replace(self, active=now, ttl=self.ttl if ttl is None else ttl)


@dataclass(frozen=True)
class Ending:
    """Why a box or a sandbox ended, when (seconds since the epoch), and more in words for people."""

    reason: EndReason
    at: float
    detail: str = ""
