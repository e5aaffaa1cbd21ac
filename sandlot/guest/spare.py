"""A spare: a payload forked ahead of its command, already behind every wall, waiting for its order.

A command that finds one begins at once: no fork and hardly a wall lies between the request and the program.
The walls it tells of are those it stands behind, so the greeting of a box is proven by the very process that
will run the first command in it. Those that can only go up when the order is there (`Box.late`) it puts up
then, before anything of the user runs, or does not run it.

What a spare is told comes in one message on a pipe of its own, and what it has to say before the program runs
goes out on another: a line when it is ready, a refusal when it cannot start, and the end of file when it has.
"""

from __future__ import annotations

import gc
import os
import time

from ..walls import lockdown, rlimits
from ..wire import json_object, order
from . import descriptors, payload, signals
from .handler import VALUE, Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, NoReturn, Tuple

    from .greeting import Box

_REPORTS, _ORDERS = payload.ERRORS, payload.ERRORS + 1
_READ_SIZE = 2**16
_UMASK = 0o022
_MICROSECONDS = 1_000_000


class Spare:
    """The agent's side of one: descriptors, those it reads non-blocking, and its pid."""

    def __init__(self) -> None:
        """Nothing is open yet."""
        self.pid = 0
        self.heard = b""  # what was read of its reports already
        self.orders = self.reports = self.stdin = self.stdout = self.stderr = self.value = -1

    def close(self) -> None:
        """Give everything back: one that got no order ends by that."""
        ours = (self.orders, self.reports, self.stdin, self.stdout, self.stderr, self.value)
        for descriptor in ours:
            if descriptor >= 0:
                os.close(descriptor)


def fork(box: Box) -> Spare:
    """A spare behind the walls of *box*; returns in the agent. OSError when there is no room for one.

    In the spare's own process this leaves by payload.Handover, when its order is a program's text.
    """
    spare = Spare()
    far: List[int] = []
    try:
        spare.orders, orders = descriptors.pipe(far, near_reads=False)
        spare.reports, reports = descriptors.pipe(far, near_reads=True)
        spare.stdin, stdin = descriptors.pipe(far, near_reads=False)
        spare.stdout, stdout = descriptors.pipe(far, near_reads=True)
        spare.stderr, stderr = descriptors.pipe(far, near_reads=True)
        spare.value, value = descriptors.pipe(far, near_reads=True)
        agent = os.getpid()
        gc.freeze()  # as launch.start does, for the same reasons
        spare.pid = box.fork()
    except OSError:
        gc.unfreeze()
        descriptors.close(far)
        spare.close()
        raise
    if spare.pid == 0:
        _become(box, agent, (stdin, stdout, stderr), (reports, orders, value))
    gc.unfreeze()
    descriptors.close(far)
    return spare


def _become(box: Box, agent: int, stdio: Tuple[int, int, int], ends: Tuple[int, int, int]) -> NoReturn:
    with payload.Edge():
        signals.restore(python=True)
        descriptors.place((*stdio, *ends), keep=lockdown.held())
        os.umask(_UMASK)
        os.chdir("/")
        stand(box, lockdown.stand_alone(box.early, parent=agent) + box.enclose())


def stand(box: Box, walls: List[str]) -> NoReturn:
    """Wait for the order, in a process of its own that is behind its early *walls*.

    Leaves by payload.Handover when it is a program's text.
    """
    with payload.Edge():
        get_ready(box, walls)
        received = _read_message()
        if not received:
            os._exit(0)  # the agent has no use for it
        limits, text = order.split(received)
        if "rlimits" in box.plan.walls:
            rlimits.lower(box.plan.limited(limits).rlimits)
        if "landlock" in box.late:
            lockdown.confine(box.plan)
            lockdown.release()
        carry_out(text)


def get_ready(box: Box, walls: List[str]) -> None:
    """Do what can be done ahead, behind the early *walls*, and say so."""
    if "landlock" not in box.late:
        lockdown.release()
    box.warm()
    walls += [wall for wall in box.late if wall in box.plan.walls]
    # Not os.times, which counts in hundredths of a second.
    spent = int(time.process_time() * _MICROSECONDS)
    os.write(_REPORTS, b"%d %b\n" % (spent, json_object.render(walls)))


def carry_out(text: bytes) -> NoReturn:
    """Become what the *text* of an order says, behind every wall; leaves as `stand`."""
    fields, source = order.told(text)
    os.chdir(fields["workdir"])
    if fields["argv"] is not None:
        signals.restore(python=False)
        payload.execute(fields["argv"], fields["env"])
    call = None if fields["call"] is None else Call(fields["call"])
    if call is None:
        os.close(VALUE)
    os.close(_REPORTS)
    raise payload.Handover((source, fields["env"], fields["workdir"], call))


def _read_message() -> bytes:
    received = []
    while True:
        data = os.read(_ORDERS, _READ_SIZE)
        if not data:
            break
        received.append(data)
    os.close(_ORDERS)
    return b"".join(received)


def await_ready(spare: Spare) -> List[str]:
    """Wait until it stands behind its walls; their names. Raises ValueError with its reason why it cannot."""
    os.set_blocking(spare.reports, True)
    while b"\n" not in spare.heard:
        data = os.read(spare.reports, _READ_SIZE)
        if not data:
            break
        spare.heard += data
    os.set_blocking(spare.reports, False)
    return ready(spare.heard.partition(b"\n")[0])[0]


def ready(line: bytes) -> Tuple[List[str], float]:
    """The walls a spare stands behind and its processor time so far, in seconds.

    Raises ValueError for what it says instead: JSON of why it is not ready.
    """
    spent, _, walls = line.partition(b" ")
    if not spent.isdigit():
        complaint: Dict[str, Any] = json_object.parse(line)
        raise ValueError(complaint.get("message", "it is not ready"))
    return list(json_object.parse_value(walls)), int(spent) / _MICROSECONDS
