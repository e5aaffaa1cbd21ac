"""Census: how many sandboxes there are and were, for metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandlot.contracts.lease import EndReason, State


@dataclass(frozen=True, slots=True)
class Census:
    """The numbers of one moment. Counts of what happened start at 0 with the process.

    `ended` counts boxes and sandboxes by why they ended: a stopped sandbox that is deleted later counts
    twice. `starts` are boxes being started, `commands` programs running; both are bounded, the rest wait.
    """

    sandboxes: Mapping[State, int] = field(default_factory=dict)
    started: int = 0
    failed_starts: int = 0
    ended: Mapping[EndReason, int] = field(default_factory=dict)
    starts: int = 0
    starts_waiting: int = 0
    commands: int = 0
    commands_waiting: int = 0


class Tally:
    """What has happened since the process began."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.started = 0
        self.failed_starts = 0
        self.ended: Counter[EndReason] = Counter()
