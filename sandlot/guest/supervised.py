"""The agent's side of a supervisor: what it reports, what it is told, and its end."""

from __future__ import annotations

import os

from ..wire import json_object
from .loop import READ, now
from .signals import SIGKILL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional

    from .attended import Patron
    from .launch import Ends
    from .loop import Loop
    from .reaper import Reaper

_READ_SIZE = 65536


class Supervised:
    """One command under a supervisor, with the descriptors of its launch.Ends."""

    def __init__(
        self, ends: Ends, loop: Loop, reaper: Reaper, bereaved: Callable[[Callable[[], None]], None]
    ) -> None:
        """*bereaved* ends what a supervisor left that died, then calls back."""
        self.stdin, self.stdout, self.stderr = ends.stdin, ends.stdout, ends.stderr
        self.value = ends.value
        self.pid = ends.supervisor
        self._ends, self._loop, self._bereaved = ends, loop, bereaved
        self._begun = now()
        self._partial = b""
        self._ended: Optional[Dict[str, Any]] = None
        self._is_dead = False
        self._reaper = reaper

    def begin(self, patron: Patron) -> None:
        """Listen; everything is told to *patron*."""
        self._patron = patron
        self._reaper.expect(self.pid, self._died)
        self._loop.watch(self._ends.reports, READ, self._listen)

    def order(self, number: int) -> None:
        """A signal for the payload, or supervisor.KILL."""
        if self._ended is None and not self._is_dead:
            try:
                os.write(self._ends.orders, bytes([number]))
            except (BrokenPipeError, BlockingIOError):  # dead, and its end is on its way; or deaf
                pass

    def force(self) -> None:
        """Do without a supervisor that was stopped or starved."""
        if self._ended is None and not self._is_dead:
            os.kill(self.pid, SIGKILL)  # not reaped yet, so the number is still its own

    def _listen(self) -> None:
        self._read_reports()

    def _read_reports(self) -> bool:
        """Read once; whether more may be there."""
        try:
            data = os.read(self._ends.reports, _READ_SIZE)
        except BlockingIOError:
            return False
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()
        for line in lines:
            report = json_object.parse(line)
            self._ended = report.get("ended", self._ended)
            self._patron.heard(report)
        if not data:
            self._loop.forget(self._ends.reports)
        return bool(data)

    def _died(self, _status: int, usage: Any) -> None:
        while self._read_reports():
            pass
        self._loop.forget(self._ends.reports)
        os.close(self._ends.reports)
        os.close(self._ends.orders)
        self._is_dead = True
        self.pid = 0
        if self._ended is not None and not self._ended["leftover"]:
            self._patron.gone()
            return
        if self._ended is None:
            ended = {
                "by": "order",
                "status": None,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak": usage.ru_maxrss * 1024,
                "seconds": now() - self._begun,
            }
            self._patron.heard({"ended": ended})
        self._bereaved(self._patron.gone)
