"""A box whose first process ran without Python until now (`init`): its agent goes on from there."""

from __future__ import annotations

import ctypes
import os

from ..wire import order
from ..wire.order import Order
from . import agent, signals
from .spare import Spare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from .init import Run, State
    from .parked import Mould

_OF_SPARE = 220
"""From where on the ends of a spare's pipes stand; as in native/init.h, and in this order."""

_ORDERS, _REPORTS, _STDIN, _STDOUT, _STDERR, _VALUE = range(6)

_BY = {1: "self", 2: "timeout", 3: "order"}
_VERDICTS = {1: "killed", 2: "output_limit"}


def serve(mould: Mould, state: State) -> int:
    """Serve the host on; as agent.serve. In a payload leaves by payload.Handover."""
    signals.shield()
    box = mould.box
    if state.is_claimed:
        box.claimed(order.limits_of(bytes(state.claim[: state.claim_length])))
    elif state.is_moved:
        box.moved()
    box.spare = _spare(state)
    return agent.resume(box, Course(state, box.null))


class Course:
    """How far a box and its link came.

    latest: the number of the last stream; commands: how many there were; heard: bytes of the host that
    nobody has looked at; unsaid: bytes for the host; run: the command under way, or None.
    """

    def __init__(self, state: State, null: int) -> None:
        """Read it."""
        self.latest, self.commands = int(state.latest), int(state.commands)
        self.heard = bytes(state.incoming[state.in_begin : state.in_end])
        self.unsaid = bytes(state.outgoing[state.out_begin : state.out_end])
        self.run = Underway(state, null) if state.run.stream else None


class Underway:
    """A command that has started: its stream and credit, its order, and how far its outputs are.

    spare: its descriptors, and its pid; ended: as a supervisor reports it, for one of which nothing is left
    but output, else None; verdict: why it was killed; begun: on the monotonic clock; cpu: seconds of
    processor time that count for it, without its own; outputs: bytes passed on and dropped of each.
    """

    def __init__(self, state: State, null: int) -> None:
        """Read it; *null* is a descriptor of /dev/null."""
        run: Run = state.run
        self.stream, self.credit = int(run.stream), int(run.window)
        self.order = Order(
            None if run.timeout < 0 else float(run.timeout),
            int(run.taps[0].keep),
            int(run.taps[0].drop),
            int(run.taps[2].keep),
            bool(run.is_last),
            bool(run.is_exec),
            ctypes.string_at(run.order, run.order_length),
        )
        self.begun, self.cpu = float(run.begun), float(run.strangers_cpu - run.spare_cpu)
        self.outputs: List[Tuple[int, int]] = [(int(tap.kept), int(tap.dropped)) for tap in run.taps]
        self.verdict: Optional[str] = _VERDICTS.get(run.reason)
        self.ended = _ended(run) if run.is_over else None
        self.spare = Spare()
        self.spare.pid = int(run.pid)
        # What the command has closed already is at its end.
        ends = zip((_STDOUT, _STDERR, _VALUE), run.taps)
        ours = [run.base + end if tap.is_open or not tap.keep else os.dup(null) for end, tap in ends]
        self.spare.stdout, self.spare.stderr, self.spare.value = ours


def _ended(run: Run) -> Dict[str, Any]:
    return {
        "by": _BY[run.by],
        "status": int(run.status),
        "cpu": max(0.0, run.main_cpu + run.strangers_cpu - run.spare_cpu),
        "peak": max(int(run.main_peak), int(run.strangers_peak)),
        "seconds": float(run.seconds),
        "leftover": False,
    }


def _spare(state: State) -> Optional[Spare]:
    if not state.spare.pid:
        return None
    spare = Spare()
    heard = state.spare.heard
    spare.pid, spare.heard = int(state.spare.pid), bytes(heard.bytes[: heard.length])
    ends = (_OF_SPARE + end for end in (_ORDERS, _REPORTS, _STDIN, _STDOUT, _STDERR, _VALUE))
    spare.orders, spare.reports, spare.stdin, spare.stdout, spare.stderr, spare.value = ends
    return spare
