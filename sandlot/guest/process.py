"""One command as the agent sees it: from its start to its outcome, wherever its output goes."""

from __future__ import annotations

import os
import time

from ..wire import json_object
from ..wire.frames import Kind
from . import launch, supervisor
from .loop import READ, now
from .refusal import Refusal, from_os
from .run_request import Meter, outcome
from .signals import SIGKILL
from .taps import Feed, Tap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Protocol

    from .greeting import Box
    from .loop import Loop, Timer
    from .run_request import RunRequest

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
"""Seconds after the deadline that output may still wait for credit: the host waits no longer for DONE."""

_TERMINAL_END = b"\x04"  # what a person types to end the input: VEOF of a fresh terminal
_READ_SIZE = 65536


class Process:
    """A command that was asked for. `outcome` and `refusal` are None until it has ended, then one is set."""

    def __init__(
        self, name: str, request: RunRequest, loop: Loop, bereaved: Callable[[Process], None]
    ) -> None:
        """*bereaved* is called when the supervisor died and left its descendants to the agent."""
        self.name = name
        self.request = request
        self.pid: Optional[int] = None
        self.supervisor: Optional[int] = None
        self.outcome: Optional[Dict[str, Any]] = None
        self.refusal: Optional[Refusal] = None
        self.started_at = time.time()
        self._begun = now()
        self.feed = Feed(loop, None, None)
        self._loop = loop
        self._bereaved = bereaved
        self._verdict: Optional[str] = None
        self._ended: Optional[Dict[str, Any]] = None
        self._failure: Optional[Refusal] = None
        self._partial = b""
        self._taps: List[Tap] = []
        self._alarms: List[Timer] = []
        self._last_words: Optional[Timer] = None

    @property
    def is_over(self) -> bool:
        """Nothing of it is left and everything it said has been passed on."""
        return self.outcome is not None or self.refusal is not None

    def start(self, source: Optional[bytes], box: Box, audience: Audience) -> None:
        """Fork it. Raises Refusal when the box has no room for another process."""
        try:
            ends = launch.start(self.request, source, box)
        except OSError as error:
            raise from_os(error, "the command cannot be started") from None
        self._ends, self._audience = ends, audience
        self.supervisor = ends.supervisor
        limits = self.request.output_limit, self.request.flood_limit
        outputs = ((ends.stdout, Kind.OUTPUT), (ends.stderr, Kind.ERROUT))
        self._taps = [
            Tap(self._loop, end, kind, Meter(*limits), self) for end, kind in outputs if end is not None
        ]
        self.feed = Feed(self._loop, ends.stdin, _TERMINAL_END if self.request.tty else None)
        self._loop.watch(ends.reports, READ, self._read_reports)
        if self.request.timeout is not None:
            self._alarm(self.request.timeout + BACKSTOP, "timeout")

    def signal(self, number: int) -> None:
        """Send it a signal, unless its main process has ended."""
        self._order(number)

    def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal, if it has one and runs."""
        if self.request.tty and self._taps and not self._taps[0].is_closed:
            from . import terminal

            terminal.resize(self._ends.stdout, rows, columns)

    def kill(self, verdict: str) -> None:
        """End everything of it; the outcome's reason will be *verdict* unless it ended before."""
        if self._verdict is None and self._ended is None and self.supervisor is not None:
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
        """As much as the audience has."""
        return self._audience.room()

    def output(self, kind: int, data: bytes) -> None:
        """Pass output on."""
        self._audience.output(kind, data)

    def flooded(self) -> None:
        """Its output went far beyond its limit."""
        self.kill("output_limit")

    def adopted(self) -> None:
        """The agent has ended what a dead supervisor left."""
        self._finish_taps()

    def _order(self, order: int) -> None:
        if self._ended is None and self.supervisor is not None:
            try:
                os.write(self._ends.orders, bytes([order]))
            except (BrokenPipeError, BlockingIOError):  # dead, and its end is on the way; or deaf: see _force
                pass

    def _alarm(self, seconds: float, verdict: str) -> None:
        self._alarms.append(self._loop.after(seconds, lambda: self._force(verdict)))

    def _force(self, verdict: str) -> None:
        """Do without a supervisor that was stopped or starved."""
        if self._ended is None and self.supervisor is not None:
            self._verdict = self._verdict or verdict
            os.kill(self.supervisor, SIGKILL)  # not reaped yet, so the number is still its own

    def _read_reports(self) -> None:
        data = os.read(self._ends.reports, _READ_SIZE)
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()
        for line in lines:
            self._hear(json_object.parse(line))
        if not data:
            self._supervisor_gone()

    def _hear(self, report: Dict[str, Any]) -> None:
        if "started" in report:
            self.pid = report["started"]
            self._audience.started()
        elif "failed" in report:
            self._failure = Refusal(report["failed"]["code"], report["failed"]["message"])
        else:
            self._ended = report["ended"]

    def _supervisor_gone(self) -> None:
        self._loop.forget(self._ends.reports)
        os.close(self._ends.reports)
        os.close(self._ends.orders)
        _, _, usage = os.wait4(self.supervisor or 0, 0)
        self.supervisor = None
        for alarm in self._alarms:
            alarm.cancel()
        self.feed.close()
        if self._ended is not None and not self._ended["leftover"]:
            self._finish_taps()
            return
        if self._ended is None:
            self._ended = {
                "by": "order",
                "status": None,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak": usage.ru_maxrss * 1024,
                "seconds": now() - self._begun,
            }
        self._bereaved(self)

    def _finish_taps(self) -> None:
        for tap in self._taps:
            tap.finish(self._tap_ended, patient=self.request.tty is not None)
        if self.request.timeout is not None and not self.is_over:
            left = self._begun + self.request.timeout - now()
            self._last_words = self._loop.after(max(left, 0.0) + _LAST_WORDS, self._abandon_output)

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
