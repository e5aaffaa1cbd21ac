"""What this keeper makes boxes from, and where its news goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .cgroups import Groups
from .launch import Powers
from .uids import UidBlock
from .workspaces import Workspaces

Tell = Callable[[Mapping[str, Any]], None]
"""Queues one message to the service."""

Watch = Callable[[int, "Callable[[], None] | None"], None]
"""Calls back when a descriptor is readable or has failed; None forgets it, before it is closed."""


@dataclass(frozen=True, slots=True)
class Supplies:
    """What boxes are made from; None where this keeper lacks the power.

    `proc` is a descriptor of the keeper's own /proc, `host_proc` of the service's.
    """

    powers: Powers
    groups: Groups
    proc: int
    host_proc: int
    uids: UidBlock | None
    workspaces: Workspaces | None
