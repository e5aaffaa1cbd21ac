"""One zygote as the keeper knows it: its warden, its socket, and the boxes that wait to be made by it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import packets
from .launch import Refusal
from .orders import ZygoteOrder
from .parking import ParkedBox
from .shapes import parse_object
from .uids import UidRange

_MOST_TRIES = 2


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

    def wait_for_the_next(self) -> list[ParkedBox]:
        """Have the next zygote make what this one was asked for; the boxes that were asked for too often."""
        again: list[ParkedBox] = []
        given_up: list[ParkedBox] = []
        for box in self.asked.values():
            (again if box.tries < _MOST_TRIES else given_up).append(box)
            box.asked = 0.0
        self.waiting[:0] = again
        self.asked.clear()
        return given_up


def last_words(speaker: socket.socket) -> Iterator[tuple[Mapping[str, Any], list[int]]]:
    """Close a zygote's socket: what it had said that was not read yet, each message with its descriptors.

    What is no message is passed over. The descriptors that nobody took out of their list are closed.
    """
    with speaker, contextlib.suppress(OSError):
        speaker.shutdown(socket.SHUT_RD)  # so that there is a last one
        ends = 0
        while ends < 2:  # a reset comes ahead of the last packets
            packet, descriptors, _ = packets.receive(speaker)
            ends += not packet
            with contextlib.suppress(Refusal):
                if packet:
                    yield parse_object(packet), descriptors
            packets.close(descriptors)
