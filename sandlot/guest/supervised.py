"""The agent's side of a supervisor: what it reports, what it is told, and its end."""

from __future__ import annotations

import os

from ..wire import json_object
from . import supervisor
from .loop import READ, now
from .signals import SIGKILL
from .supervisor import FIRST, ORDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional

    from .attended import Patron
    from .launch import Ends
    from .loop import Loop
    from .passing import Passing
    from .reaper import Reaper

_READ_SIZE = 65536
_PATIENCE = 0.5


class Supervised:
    """One command under a supervisor, with the descriptors of its launch.Ends, and the copies of it."""

    def __init__(
        self, ends: Ends, loop: Loop, reaper: Reaper, bereaved: Callable[[Callable[[], None]], None]
    ) -> None:
        """*bereaved* ends what a supervisor left that died, then calls back."""
        self.stdin, self.stdout, self.stderr = ends.stdin, ends.stdout, ends.stderr
        self.value = ends.value
        self.passing: Optional[Passing] = ends.passing
        self.pid = ends.supervisor
        self._ends, self._loop, self._bereaved = ends, loop, bereaved
        self._begun = now()
        self._partial = b""
        self._patrons: Dict[int, Patron] = {}
        self._last: Optional[Dict[str, Any]] = None
        self._is_dead = False
        self._reaper = reaper

    @property
    def family(self) -> Supervised:
        """Who looks after copies of it."""
        return self

    def begin(self, patron: Patron) -> None:
        """Listen; everything is told to *patron*."""
        self._patrons[FIRST] = patron
        self._reaper.expect(self.pid, self._died)
        self._loop.watch(self._ends.reports, READ, self._listen)

    def adopt(self, pid: int, patron: Patron) -> None:
        """Look after the copy *pid* too, if it is one; *patron* is told of it."""
        if self._is_dead or pid in self._patrons or pid == FIRST:
            patron.heard({"failed": {"code": "failed", "message": "the copy has no supervisor any more"}})
            return
        self._patrons[pid] = patron
        self.tell(pid, supervisor.ADOPT)

    def order(self, number: int) -> None:
        """A signal for the payload, or supervisor.KILL."""
        self.tell(FIRST, number)

    def tell(self, name: int, number: int) -> None:
        """An order about one of those that have not ended."""
        if name in self._patrons and self._last is None and not self._is_dead:
            try:
                os.write(self._ends.orders, ORDER.pack(name, number))
            except (BrokenPipeError, BlockingIOError):  # dead, and its end is on its way; or deaf
                pass

    def force(self) -> None:
        """Do without a supervisor that was stopped or starved; it has longer where others would end too."""
        self.force_for(FIRST)

    def force_for(self, name: int) -> None:
        """As `force`, for a copy."""
        if len(self._patrons) > 1:
            self._loop.after(_PATIENCE, lambda: self._force(name))
        else:
            self._force(name)

    def _force(self, name: int) -> None:
        if name in self._patrons and self._last is None and not self._is_dead:
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
            self._hear(json_object.parse(line))
        if not data:
            self._loop.forget(self._ends.reports)
        return bool(data)

    def _hear(self, report: Dict[str, Any]) -> None:
        name = report["member"]
        patron = self._patrons.get(name)
        if patron is None:
            return
        ended = report.get("ended")
        if ended is not None and ended["last"]:
            self._last = ended
        patron.heard(report)
        is_lost = "failed" in report and name != FIRST
        if is_lost or (ended is not None and not ended["last"]):
            del self._patrons[name]
            self._gone(name, patron)

    def _died(self, _status: int, usage: Any) -> None:
        while self._read_reports():
            pass
        self._loop.forget(self._ends.reports)
        os.close(self._ends.reports)
        os.close(self._ends.orders)
        self._is_dead = True
        self.pid = 0
        if self._last is None:
            ended = {
                "by": "order",
                "status": None,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak": usage.ru_maxrss * 1024,
                "seconds": now() - self._begun,
            }
            for patron in self._patrons.values():
                patron.heard({"ended": ended})
        if self._last is not None and not self._last["leftover"]:
            self._depart()
        else:
            self._bereaved(self._depart)

    def _depart(self) -> None:
        patrons, self._patrons = self._patrons, {}
        for name, patron in patrons.items():
            self._gone(name, patron)

    def _gone(self, name: int, patron: Patron) -> None:
        if name == FIRST and self.passing is not None:
            self.passing.close()
        patron.gone()
