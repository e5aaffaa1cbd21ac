"""Zygotes and the boxes parked by them: the keeper's side. What a zygote says is as hostile as its packages.

A box is asked of a zygote with the descriptors it will have: the channel, a pipe on which it tells that it
stands, and its control group. The answer brings the descriptor of its first process, and that is all that is
believed: killing and waiting go by it. It can only be a process of the zygote's own pid namespace, for there
is no other that the zygote could name.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from . import census, packets, warden
from .boxes import Boxes
from .descriptors import is_packet_socket, is_process
from .launch import Refusal
from .orders import Fit, Limits, ZygoteOrder
from .parking import ParkedBox
from .shapes import parse_object
from .supplies import Supplies, Tell, Watch
from .zygote import Zygote, last_words

_MOST_ASKED = 64
"""Boxes asked of one zygote and not yet answered: more wait here, for it makes one at a time."""
_PACKETS_PER_TURN = 64
"""Packets heard from one zygote before others have their turn: a babbler must not have all of the keeper."""


class Nursery:
    """All zygotes of this keeper and what they made."""

    def __init__(self, supplies: Supplies, boxes: Boxes, tell: Tell, watch: Watch) -> None:
        """No zygote yet. Numbers of boxes and dead children come from *boxes*."""
        self._supplies, self._boxes, self._tell, self._watch = supplies, boxes, tell, watch
        self._zygotes: dict[int, Zygote] = {}
        self._parked: dict[int, ParkedBox] = {}
        self._rising: list[ParkedBox] = []
        self._leaving: dict[int, ParkedBox] = {}
        self._made = 0

    @property
    def count(self) -> int:
        """How many boxes there are of which something is left."""
        return len(self._parked)

    def raise_zygote(self, request: int, order: ZygoteOrder) -> None:
        """Start a zygote; the answer follows when it has loaded its packages. Refusal."""
        if not self._supplies.powers.pid_namespace:
            raise Refusal("unsupported", "zygotes need namespaces, which this keeper could not make")
        block = self._supplies.uids
        if block is None and os.geteuid() == 0:
            raise Refusal("unsupported", "no box runs as root, and this keeper has no other uids")
        uids = None if block is None else block.lend()
        try:
            pid, control = warden.start(order, uids)
        except OSError as error:
            if block is not None and uids is not None:
                block.take_back(uids)
            raise Refusal("start_failed", f"the zygote's warden could not be made: {error}") from error
        self._made += 1
        zygote = self._zygotes[self._made] = Zygote(self._made, request, pid, control, uids, order)
        self._boxes.helpers[pid] = lambda status: self._lost(zygote, status)
        self._watch(control.fileno(), lambda: self._hear_warden(zygote))

    def park(self, request: int, number: int, limits: Limits, descriptors: list[int]) -> None:
        """Have a box made that takes over all *descriptors*; the answer follows when it stands. Refusal."""
        zygote = self._zygotes.get(number)
        if zygote is None:
            raise Refusal("not_found", f"there is no zygote {number}: start one")
        box = ParkedBox.begin(
            self._boxes.number(), request, number, self._supplies, zygote.uids, limits, descriptors
        )
        self._parked[box.number], box.leaving = box, self._leaving
        self._rising.append(box)
        zygote.waiting.append(box)
        self._ask(zygote)

    def fit(self, request: int, number: int, fit: Fit) -> None:
        """Change what a parked box was made with, before anything runs in it. Refusal."""
        box = self._found(number)
        box.fit(fit)
        if fit.kept is None:
            self._tell({"id": request, "ok": {}})
        else:
            box.furnish(fit.kept, self._supplies, self._boxes.helpers, self._furnished(request))

    def furnish(self, request: int, number: int, image: int) -> None:
        """Mount the open, unnamed *image* in a parked box: it is that box's until its end. Refusal."""
        box = self._found(number)
        box.furnish(image, self._supplies, self._boxes.helpers, self._furnished(request))

    def has(self, number: int) -> bool:
        """Whether box *number* is one of these."""
        return number in self._parked

    def kill(self, request: int, number: int) -> None:
        """Kill a box; the answer follows when nothing of it is left."""
        self._parked[number].kill(request)

    def kill_all(self) -> None:
        """Kill every box and every zygote."""
        for box in self._parked.values():
            box.kill(None)
        for zygote in tuple(self._zygotes.values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(zygote.pid, signal.SIGKILL)

    def consumption(self, number: int) -> Mapping[str, Any]:
        """As Boxes.consumption."""
        return self._parked[number].consumption()

    def _found(self, number: int) -> ParkedBox:
        box = self._parked.get(number)
        if box is None:
            raise Refusal("not_found", f"there is no parked box {number}")
        return box

    def _furnished(self, request: int) -> Callable[[str], None]:
        """The answer to *request*, given once it is known whether a workspace was mounted."""

        def told(failure: str) -> None:
            refusal = {"code": "start_failed", "message": f"its workspace could not be mounted: {failure}"}
            self._tell({"id": request, **({"error": refusal} if failure else {"ok": {}})})

        return told

    def settle(self) -> float | None:
        """Take away what ended; the seconds after which to look again, None when nothing is going away."""
        pause: float | None = None
        for box in tuple(self._leaving.values()):
            if box.is_gone(self._boxes.helpers):
                del self._parked[box.number], self._leaving[box.number]
                if box.cause == "exited" and self._is_orphaned(box):
                    box.cause = "warden_died"
                box.tell_end(self._tell)
                continue
            pause = box.pause if pause is None else min(pause, box.pause)
        overdue = self._end_overdue(time.monotonic())
        return overdue if pause is None else min(pause, overdue or pause)

    def _end_overdue(self, now: float) -> float | None:
        """End who is silent too long; the seconds until the next one will be."""
        left = []
        for zygote in tuple(self._zygotes.values()):
            is_late, seconds = zygote.overdue(now)
            if is_late:
                self._fail(zygote, "it took too long to load its packages or to answer: it was ended")
                _, seconds = zygote.overdue(now)
            left += [] if seconds is None else [seconds]
        self._rising = [box for box in self._rising if not box.stands and not box.is_ending]
        for box in self._rising:
            zygote_of = self._zygotes.get(box.zygote)
            if zygote_of is None or box.pidfd < 0:
                continue
            seconds = box.asked + zygote_of.order.making - now
            if seconds <= 0:
                box.failure = "it took too long to furnish it"
                box.kill(None)
            else:
                left.append(seconds)
        return min(left, default=None)

    def _is_orphaned(self, box: ParkedBox) -> bool:
        """Whether its end came with its warden's, whose pid namespace takes every box along."""
        zygote = self._zygotes.get(box.zygote)
        return zygote is None or census.is_ending(self._supplies.proc, zygote.pid)

    def _hear_warden(self, zygote: Zygote) -> None:
        try:
            packet, descriptors, _ = packets.receive(zygote.control)
        except BlockingIOError:
            return
        if packet.startswith(b"+") and len(descriptors) == 1 and is_packet_socket(descriptors[0]):
            self._welcome(zygote, socket.socket(fileno=descriptors[0]))
            return
        packets.close(descriptors)
        if packet.startswith(b"!"):
            self._fail(zygote, packet[1:].decode("utf-8", "replace"))
        else:
            self._watch(zygote.control.fileno(), None)  # its end: `_lost` follows

    def _welcome(self, zygote: Zygote, speaker: socket.socket) -> None:
        self._forget_speaker(zygote)
        speaker.setblocking(False)
        zygote.speaker = speaker
        self._watch(speaker.fileno(), lambda: self._hear_zygote(zygote))

    def _hear_zygote(self, zygote: Zygote) -> None:
        for _ in range(_PACKETS_PER_TURN):
            if zygote.speaker is None:
                return
            try:
                packet, descriptors, _ = packets.receive(zygote.speaker)
                if not packet:  # a reset comes ahead of the last packets
                    packet, descriptors, _ = packets.receive(zygote.speaker)
            except BlockingIOError:
                return
            try:
                if not packet:
                    self._forget_speaker(zygote)
                    return
                self._understand(zygote, parse_object(packet), descriptors)
            except Refusal as refusal:
                self._fail(zygote, f"it broke the protocol: {refusal.message}")
            finally:
                packets.close(descriptors)

    def _understand(self, zygote: Zygote, message: Mapping[str, Any], descriptors: list[int]) -> None:
        if "park" in message:
            self._born(zygote, message, descriptors)
        elif "failed" in message:
            self._fail(zygote, str(message["failed"])[:2000])
        elif "ready" in message:
            zygote.is_ready, zygote.strikes = True, 0
            if not zygote.is_told:
                zygote.is_told = True
                self._tell({"id": zygote.request, "ok": {"zygote": zygote.number}})
        self._ask(zygote)

    def _born(self, zygote: Zygote, message: Mapping[str, Any], descriptors: list[int]) -> None:
        box = zygote.asked.pop(message["park"], None) if isinstance(message["park"], int) else None
        if box is None:
            return
        failure = message.get("failed")
        if failure or len(descriptors) != 1 or not is_process(descriptors[0]):
            box.fail(f"its zygote could not make it: {str(failure or 'no process')[:500]}")
            return
        box.born(descriptors.pop(), self._watch, self._tell)

    def _ask(self, zygote: Zygote) -> None:
        while zygote.waiting and zygote.is_ready and zygote.speaker is not None:
            box = zygote.waiting[0]
            if len(zygote.asked) >= _MOST_ASKED:
                return
            if box.is_ending:
                box.fail("it was not wanted any more")
            else:
                try:
                    packets.send(zygote.speaker, box.asking(), box.given)
                except BlockingIOError:
                    return  # it answers what it has, and then we come back
                except OSError:
                    self._forget_speaker(zygote)
                    return
                zygote.asked[box.number] = box
                box.is_asked()
            zygote.waiting.pop(0)

    def _forget_speaker(self, zygote: Zygote) -> None:
        """Its zygote is gone; what it had not made is made by the next one, but not by the third."""
        if zygote.speaker is None:
            return
        speaker, zygote.speaker = zygote.speaker, None
        self._watch(speaker.fileno(), None)
        for message, descriptors in last_words(speaker):
            # That one is made, whatever became of its zygote: another would share its channel.
            if "park" in message:
                self._born(zygote, message, descriptors)
        if zygote.is_ready:  # else the time of those before it counts as well: each might end just in time
            zygote.silent_since = time.monotonic()
        zygote.is_ready = False
        for box in zygote.wait_for_the_next():
            box.fail("its zygotes died while it was made")

    def _fail(self, zygote: Zygote, message: str) -> None:
        """End a zygote that cannot serve: its warden replaces it. Its boxes die with the warden only where it
        never could serve, or where the warden does not.
        """
        is_replaced = zygote.is_told and not zygote.strikes
        zygote.strikes += 1
        self._forget_speaker(zygote)
        zygote.silent_since = time.monotonic()
        if not zygote.is_told:
            zygote.is_told = True
            self._tell({"id": zygote.request, "error": {"code": "start_failed", "message": message}})
        with contextlib.suppress(ProcessLookupError):
            os.kill(zygote.pid, warden.REPLACE if is_replaced else signal.SIGKILL)

    def _lost(self, zygote: Zygote, status: int) -> None:
        """The warden is dead, and with it everything in its pid namespace."""
        self._forget_speaker(zygote)
        self._watch(zygote.control.fileno(), None)
        zygote.control.close()
        del self._zygotes[zygote.number]
        for box in zygote.waiting:
            box.fail("its zygote ended", "not_found")
        code = os.waitstatus_to_exitcode(status)
        if not zygote.is_told:
            message = f"the zygote ended with {code} before it was ready"
            self._tell({"id": zygote.request, "error": {"code": "start_failed", "message": message}})
        self._tell({"event": "zygote_ended", "zygote": zygote.number})
        if zygote.uids is not None and self._supplies.uids is not None:
            self._supplies.uids.take_back(zygote.uids)
