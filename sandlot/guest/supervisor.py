"""The process between the agent and one command: outlives it, ends all of it, and tells how it went.

The payload may be of the same uid, so the agent and this process are closed to it (dumpable 0), ignore every
signal that can be ignored, and never share a descriptor with it.
"""

from __future__ import annotations

import os
import resource  # noqa: F401 - wait4 and the walls need it, and would look for it after the fork each time

from ..walls import lockdown, session
from ..wire import json_object
from . import descendants, descriptors, payload, signals
from .loop import READ, Loop, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, NoReturn, Optional, Tuple

    from .launch import Launch

KILL = 0
"""The order that ends everything; other orders are signal numbers."""

GRACE = 0.1
"""Seconds that what outlives the main process has to end by itself (E26)."""

_KILL_PATIENCE = 0.8
_KILL_PAUSE = 0.002
_PLAIN_ROUNDS = 5
_ORDERS, _REPORTS, _DIAGNOSTICS = 0, 1, 2
_CRASHED = 70


def supervise(launch: Launch, agent: int, orders: int, reports: int) -> NoReturn:
    """Become the supervisor, in a fresh fork of the agent; in the payload's fork raises payload.Handover."""
    try:
        session.die_with_parent(agent)
        session.adopt_orphans()
        # 0 and 1 were the channel: from here on this process has no way to the host.
        descriptors.place((orders, reports, _DIAGNOSTICS), keep=_kept(launch))
        _Supervisor(launch).run()
    except payload.Handover:
        raise
    except BaseException as error:  # noqa: BLE001 - the edge of a process: the agent's frames lie beyond
        try:
            _report({"failed": {"code": "failed", "message": f"the supervisor failed: {error!r}"}})
        finally:
            os._exit(_CRASHED)
    os._exit(0)


def _kept(launch: Launch) -> Tuple[int, ...]:
    """What the payload will need of the agent's."""
    own = () if launch.value is None else (launch.value,)
    return (*launch.stdio, *own, *lockdown.held())


def _report(value: Dict[str, Any]) -> None:
    os.write(_REPORTS, json_object.render(value) + b"\n")


class _Supervisor:
    """One command: its main process, and everything that descends from it."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._loop = Loop()
        self._main = 0
        self._started = now()
        self._seconds = 0.0
        self._status: Optional[int] = None
        self._by: Optional[str] = None
        self._cpu = 0.0
        self._peak = 0
        self._errors = -1
        self._complaint = b""
        self._childless = False
        self._killing_until: Optional[float] = None
        self._rounds = 0
        self._over = False

    def run(self) -> None:
        """Start the payload and stay until nothing of it is left."""
        self._start()
        while not self._over:
            self._loop.turn()

    def _start(self) -> None:
        self._errors, writing = os.pipe2(os.O_CLOEXEC)
        waking, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signals.wake_on_child(wake)
        me = os.getpid()
        self._main = os.fork()
        if self._main == 0:
            payload.become(self._launch, me, writing)
        descriptors.close_all_but((_ORDERS, _REPORTS, _DIAGNOSTICS, self._errors, waking, wake))
        os.set_blocking(self._errors, False)
        os.set_blocking(_ORDERS, False)
        self._loop.watch(_ORDERS, READ, self._obey)
        self._loop.watch(self._errors, READ, self._listen)
        self._loop.watch(waking, READ, lambda: self._reap(os.read(waking, 4096)))
        if self._launch.timeout is not None:
            self._loop.after(self._launch.timeout, self._time_out)

    def _listen(self) -> None:
        """The payload's complaint, or its silence, which means that it stands behind its walls and runs."""
        try:
            for data in iter(lambda: os.read(self._errors, 65536), b""):
                self._complaint += data
        except BlockingIOError:
            return
        self._loop.forget(self._errors)
        os.close(self._errors)
        self._errors = -1
        if self._complaint:
            _report({"failed": json_object.parse(self._complaint)})
        else:
            _report({"started": self._main})

    def _obey(self) -> None:
        orders = os.read(_ORDERS, 64)
        if not orders:
            self._loop.forget(_ORDERS)
            self._kill("order")
        for order in orders:
            if order == KILL:
                self._kill("order")
            elif self._status is None:
                self._signal(order)

    def _signal(self, number: int) -> None:
        """To the main process and its group: a shell's children are meant as much as the shell."""
        try:
            if os.getpgid(self._main) == self._main:
                os.killpg(self._main, number)
            else:
                os.kill(self._main, number)
        except ProcessLookupError:
            pass

    def _time_out(self) -> None:
        self._reap()
        self._kill("timeout")

    def _reap(self, _bytes: bytes = b"") -> None:
        while not self._childless:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                self._childless = True
                break
            if pid == 0:
                break
            self._cpu += usage.ru_utime + usage.ru_stime
            self._peak = max(self._peak, usage.ru_maxrss * 1024)
            if pid == self._main:
                self._ended(status)
        if self._childless:
            self._finish()

    def _ended(self, status: int) -> None:
        self._status = status
        self._seconds = now() - self._started
        if self._by is None:
            self._by = "self"
            self._loop.after(GRACE, self._kill_rest)

    def _kill(self, by: str) -> None:
        if self._by is None:
            self._by = by
        self._kill_rest()

    def _kill_rest(self) -> None:
        if self._killing_until is None:
            self._killing_until = now() + _KILL_PATIENCE
            self._kill_round()

    def _kill_round(self) -> None:
        """Until wait(2) says that there is nobody, or patience ends: then the agent inherits the rest."""
        if self._over or self._killing_until is None:
            return
        self._rounds += 1
        if self._rounds > _PLAIN_ROUNDS:
            descendants.kill_tree()
        if not descendants.kill_children() and self._status is None:
            self._signal(signals.SIGKILL)
        self._reap()
        if not self._over and now() > self._killing_until:
            self._finish()
        self._loop.after(_KILL_PAUSE, self._kill_round)

    def _finish(self) -> None:
        if self._over:
            return
        self._over = True
        if self._errors >= 0:
            self._listen()  # a payload that was quick: its silence is on record before its end
        ended = {
            "by": self._by,
            "status": self._status,
            "cpu": self._cpu,
            "peak": self._peak,
            "seconds": self._seconds or now() - self._started,
            "leftover": not self._childless,
        }
        _report({"ended": ended})
