"""One zygote as the keeper knows it: its warden, its socket, and the boxes that wait to be made by it."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field

from .orders import ZygoteOrder
from .parking import ParkedBox
from .uids import UidRange


@dataclass(slots=True)
class Zygote:
    """A warden, which stays, and the socket of its present zygote. It has not answered for `asked` yet."""

    number: int
    request: int
    pid: int
    control: socket.socket
    uids: UidRange | None
    order: ZygoteOrder
    speaker: socket.socket | None = None
    is_ready: bool = False
    is_told: bool = False
    strikes: int = 0
    """How often it was to be ended since one of its zygotes was ready last."""
    silent_since: float = field(default_factory=time.monotonic)
    waiting: list[ParkedBox] = field(default_factory=list)
    asked: dict[int, ParkedBox] = field(default_factory=dict)

    def overdue(self, now: float) -> tuple[bool, float | None]:
        """Whether it is silent longer than it was allowed, and the seconds until it will be (pure).

        It is expected to say that it is ready, and to answer for each box that it was asked for.
        """
        first = None
        if not self.is_ready:
            first = self.silent_since + self.order.loading
        for box in self.asked.values():
            due = box.asked + self.order.making
            first = due if first is None else min(first, due)
        if first is None:
            return False, None
        return now >= first, (first - now if now < first else None)
