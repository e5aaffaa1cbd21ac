"""One command as the agent sees it: from its start to its outcome, wherever its output goes."""

from __future__ import annotations

import time

from ..wire.frames import Kind
from . import supervisor
from .loop import now
from .refusal import Refusal
from .run_request import Meter, outcome
from .taps import Feed, Tap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Protocol

    from .branched import Branched
    from .loop import Loop, Timer
    from .ordered import OrderedTap
    from .passing import Passing
    from .run_request import RunRequest
    from .supervised import Supervised
    from .takeover import Underway

    class Care(Protocol):
        """What looks after its processes; launch.Ends says what the descriptors are."""

        stdin: Optional[int]
        stdout: int
        stderr: Optional[int]
        value: Optional[int]
        passing: Optional[Passing]

        @property
        def pid(self) -> int:
            """The agent's child that stands for it."""

        @property
        def family(self) -> Optional[Supervised]:
            """Who looks after it and its copies, where it can have any."""

        def order(self, number: int) -> None:
            """A signal, or supervisor.KILL."""

        def force(self) -> None:
            """Kill everything, whoever may not answer."""

    class Audience(Protocol):
        """Who is told about a process; a Sink besides."""

        def room(self) -> int:
            """Bytes that may come now."""

        def output(self, kind: int, data: bytes) -> None:
            """Take output."""

        def started(self) -> None:
            """It runs, behind its walls."""

        def finished(self) -> None:
            """It has an outcome, or a refusal."""


BACKSTOP = 0.15
"""Seconds a supervisor has, after a deadline or an order to kill, before the agent does it all itself.

Shorter than what the host allows before it kills the box; a supervisor that was stopped costs no more.
"""

_LAST_WORDS = 0.05
"""Seconds after the deadline that output may still wait for credit: a timeout is told on time."""

_FAREWELL = 0.03
"""Seconds a context has, once it tells no more, to be seen to end by itself, with its own exit code."""

_BEYOND_VALUE = 2  # its line end, and one byte by which the host sees that it is too long
_TERMINAL_END = b"\x04"  # what a person types to end the input: VEOF of a fresh terminal


class Process:
    """A command that was asked for. `outcome` and `refusal` are None until it has ended, then one is set."""

    def __init__(self, name: str, request: RunRequest, loop: Loop, over: Callable[[Process], None]) -> None:
        """Nothing runs before `begin`; *over* is called when nothing runs any more."""
        self._over = over
        self.name = name
        self.request = request
        self.pid: Optional[int] = None
        self.outcome: Optional[Dict[str, Any]] = None
        self.refusal: Optional[Refusal] = None
        self.started_at = time.time()
        self._begun = now()
        self.feed = Feed(loop, None, None)
        self._loop = loop
        self._care: Optional[Care] = None
        self._verdict: Optional[str] = None
        self._ended: Optional[Dict[str, Any]] = None
        self._failure: Optional[Refusal] = None
        self._taps: List[Tap] = []
        self._events: Optional[OrderedTap] = None
        self._alarms: List[Timer] = []
        self._last_words: Optional[Timer] = None
        self._is_told = False

    @property
    def is_over(self) -> bool:
        """Nothing of it is left and everything it said has been passed on."""
        return self.outcome is not None or self.refusal is not None

    @property
    def child(self) -> Optional[int]:
        """The agent's child that stands for it, while that lives."""
        return None if self._care is None else self._care.pid

    def branch(self) -> Branched:
        """What looks after a copy of it that is still to be made. Raises Refusal, OSError."""
        from . import branched

        care = None if self._ended is not None else self._care
        return branched.made(
            None if care is None else care.family, None if care is None else care.passing, self._loop
        )

    def begin(self, care: Care, audience: Audience) -> None:
        """It was started; *care* looks after it."""
        self._care, self._audience = care, audience
        self._terminal = care.stdout
        limits = self.request.output_limit, self.request.flood_limit
        outputs = ((care.stdout, Kind.OUTPUT), (care.stderr, Kind.ERROUT))
        self._taps = [
            Tap(self._loop, end, kind, Meter(*limits), self) for end, kind in outputs if end is not None
        ]
        if care.value is not None:
            self._taps.append(self._value_tap(care.value, care.passing))
        self.feed = Feed(self._loop, care.stdin, _TERMINAL_END if self.request.tty else None)
        if self.request.timeout is not None:
            self._alarm(self.request.timeout + BACKSTOP, "timeout")

    def resume(self, underway: Underway) -> None:
        """It began before, and so much of its output was passed on."""
        self.pid, self._begun, self._verdict = underway.spare.pid, underway.begun, underway.verdict
        for tap, counted in zip(self._taps, underway.outputs):
            tap.meter.resume(*counted)
        self._is_told = True

    def say(self, data: bytes, taken: Callable[[int], None]) -> None:
        """Pass input on; *taken* is called with the number of bytes that went."""
        if self._events is not None:
            self._events.expect()
        self.feed.put(data, taken)

    def signal(self, number: int) -> None:
        """Send it a signal, unless its main process has ended."""
        self._order(number)

    def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal, if it has one and runs."""
        if self.request.tty and self._taps and not self._taps[0].is_closed:
            from . import terminal

            terminal.resize(self._terminal, rows, columns)

    def kill(self, verdict: str) -> None:
        """End everything of it; the outcome's reason will be *verdict* unless it ended before."""
        if self._verdict is None and self._ended is None and self._care is not None:
            self._verdict = verdict
            self._order(supervisor.KILL)
            self._alarm(BACKSTOP, verdict)

    def discard(self) -> None:
        """Kill it, and drop output that waits for credit."""
        self.kill("killed")
        for tap in self._taps:
            tap.close()

    def roomy(self) -> None:
        """Its audience can take output again."""
        for tap in self._taps:
            tap.resume()

    # What its taps are told, and pass on.

    def room(self) -> int:
        """As much as the audience has; none before it was told that the command runs, or why not.

        A program may write much before a busy supervisor comes to say that it was started.
        """
        return self._audience.room() if self._is_told else 0

    def output(self, kind: int, data: bytes) -> None:
        """Pass output on."""
        self._audience.output(kind, data)

    def flooded(self) -> None:
        """Its output went far beyond its limit."""
        self.kill("output_limit")

    # What it is told by what looks after it.

    def heard(self, report: Dict[str, Any]) -> None:
        """Started, failed or ended, as a supervisor reports it."""
        if "started" in report:
            self.pid = report["started"]
            self._audience.started()
        elif "failed" in report:
            self._failure = Refusal(report["failed"]["code"], report["failed"]["message"])
        else:
            self._ended = report["ended"]
        if not self._is_told:
            self._is_told = True
            self.roomy()

    def gone(self) -> None:
        """None of its processes is left."""
        self._care, self._is_told = None, True
        self._over(self)
        for alarm in self._alarms:
            alarm.cancel()
        self.feed.close()
        for tap in self._taps:
            tap.finish(self._tap_ended, patient=self.request.tty is not None)
        if self.request.timeout is not None and not self.is_over:
            left = self._begun + self.request.timeout - now()
            self._last_words = self._loop.after(max(left, 0.0) + _LAST_WORDS, self._abandon_output)

    def _value_tap(self, end: int, passing: Optional[Passing]) -> Tap:
        if self.request.call is None:
            from .ordered import OrderedTap

            bell = None if passing is None else passing.take_bell()
            self._events = OrderedTap(self._loop, (end, bell), self, tuple(self._taps), self._muted)
            return self._events
        allowed = self.request.call.limit + _BEYOND_VALUE, self.request.flood_limit
        return Tap(self._loop, end, Kind.VALUE, Meter(*allowed), self)

    def _muted(self) -> None:
        """The program of a context is gone, or as good as gone: what it left need not end by itself."""
        self._loop.after(_FAREWELL, lambda: self.kill("killed"))

    def _order(self, order: int) -> None:
        if self._ended is None and self._care is not None:
            self._care.order(order)

    def _alarm(self, seconds: float, verdict: str) -> None:
        self._alarms.append(self._loop.after(seconds, lambda: self._force(verdict)))

    def _force(self, verdict: str) -> None:
        if self._ended is None and self._care is not None:
            self._verdict = self._verdict or verdict
            self._care.force()

    def _abandon_output(self) -> None:
        for tap in self._taps:
            tap.abandon()

    def _tap_ended(self) -> None:
        if self.is_over or not all(tap.is_closed for tap in self._taps) or self._ended is None:
            return
        self.refusal = self._failure
        if self.refusal is None:
            truncated = [tap.meter.truncated for tap in self._taps] + [False]
            self.outcome = outcome(self._ended, self._verdict, (truncated[0], truncated[1]))
        if self._last_words is not None:
            self._last_words.cancel()
        self._audience.finished()
