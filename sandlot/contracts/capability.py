"""What an engine can do, and what it has just proven on this machine."""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from typing import Optional, Tuple

from .errors import Unsupported
from .spec import Isolation


class Feature(enum.Flag):
    """Powers beyond the four verbs of a Box; ask with `require`, never with hasattr."""

    NOTHING = 0
    FILES = enum.auto()
    PROCESSES = enum.auto()
    TERMINALS = enum.auto()
    FILE_WATCH = enum.auto()
    NETWORK_FULL = enum.auto()
    MOUNTS = enum.auto()
    LIMIT_MEMORY = enum.auto()
    LIMIT_CPU = enum.auto()
    LIMIT_PIDS = enum.auto()
    LIMIT_DISK = enum.auto()
    LIMIT_INODES = enum.auto()
    HANDLERS = enum.auto()
    CONTEXTS = enum.auto()


@functools.lru_cache(maxsize=64)  # asking an enum for its members takes longer than all else that is told
def names_of(features: Feature) -> Tuple[str, ...]:
    """The names of the single features among *features*."""
    return tuple(each.name for each in Feature if each.value and each.name and each in features)


def require(wanted: Feature, offered: Feature, *, engine: str, hint: str = "") -> None:
    """Raise Unsupported unless every feature of *wanted* is among those *offered*."""
    if wanted in offered:
        return
    names = ", ".join(sorted(name.lower() for name in names_of(wanted & ~offered)))
    advice = hint or "choose another engine (sandlot doctor lists them)"
    raise Unsupported(f"engine {engine} cannot enforce or do {names} here: {advice}")


@dataclass(frozen=True)
class Viability:
    """What a probe found: the level reached and what holds, or why the engine cannot work.

    `cause` is None when the engine works. `remedy` is the next step for the reader.
    """

    engine: str
    isolation: Isolation
    enforced: Tuple[str, ...] = ()
    features: Feature = Feature.NOTHING
    cause: Optional[str] = None
    remedy: Optional[str] = None
    seconds: float = 0.0
    """How long the real payload took, start to result."""

    @property
    def works(self) -> bool:
        """Whether the engine just ran a real payload behind its walls."""
        return self.cause is None
