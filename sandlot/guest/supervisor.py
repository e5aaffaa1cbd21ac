"""The process between the agent and one command: outlives it, ends all of it, and tells how it went.

The payload may be of the same uid, so the agent and this process are closed to it (dumpable 0), ignore every
signal that can be ignored, and never share a descriptor with it.

A context may fork copies of itself, which the kernel makes this process's children when it forks them twice.
So one supervisor can have several members: the command, and copies that the agent told it of. Who is told is
not believed: a member is what wait(2) says is a child. Each has a session of its own; what a member leaves is
known by it and ends with it. What led a session of its own, and lost its parent, ends with the last member.
"""

from __future__ import annotations

import os
import resource  # noqa: F401 - wait4 and the walls need it, and would look for it after the fork each time
import struct

from ..walls import lockdown, session
from ..wire import json_object
from . import descendants, descriptors, payload, signals
from .loop import READ, Loop, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, NoReturn, Optional, Set, Tuple

    from .launch import Launch

KILL = 0
"""The order that ends everything of a member; other orders are signal numbers."""

ADOPT = 255
"""The order to take a child for another member."""

FIRST = 0
"""How orders and reports name the command; its copies go by their pids."""

ORDER = struct.Struct("=IB")
"""Whom it concerns, and the order."""

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
            _report(FIRST, "failed", {"code": "failed", "message": f"the supervisor failed: {error!r}"})
        finally:
            os._exit(_CRASHED)
    os._exit(0)


def _kept(launch: Launch) -> Tuple[int, ...]:
    """What the payload will need of the agent's."""
    own = tuple(each for each in (launch.value, launch.passing) if each is not None)
    return (*launch.stdio, *own, *lockdown.held())


def _report(name: int, what: str, value: object) -> None:
    os.write(_REPORTS, json_object.render({"member": name, what: value}) + b"\n")


class _Member:
    """A main process; *name* is how it is told of."""

    def __init__(self, name: int, pid: int) -> None:
        self.name, self.pid = name, pid
        self.started = now()
        self.seconds = 0.0
        self.status: Optional[int] = None
        self.by: Optional[str] = None
        self.killing_until: Optional[float] = None
        self.rounds = 0


class _Supervisor:
    """One command and its copies: their main processes, and everything that descends from those."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._loop = Loop()
        self._members: Dict[int, _Member] = {}
        self._cpu = 0.0
        self._peak = 0
        self._errors = -1
        self._complaint = b""
        self._childless = False

    def run(self) -> None:
        """Start the payload and stay until nothing of it is left."""
        self._start()
        while self._members:
            self._loop.turn()

    def _start(self) -> None:
        self._errors, writing = os.pipe2(os.O_CLOEXEC)
        waking, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signals.wake_on_child(wake)
        me = os.getpid()
        pid = self._launch.fork()
        if pid == 0:
            payload.become(self._launch, me, writing)
        self._members[FIRST] = _Member(FIRST, pid)
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
            _report(FIRST, "failed", json_object.parse(self._complaint))
        else:
            _report(FIRST, "started", self._members[FIRST].pid)

    def _obey(self) -> None:
        orders = os.read(_ORDERS, 64 * ORDER.size)  # each was written at once, so none is cut
        if not orders:
            self._loop.forget(_ORDERS)
            for member in list(self._members.values()):
                self._kill(member, "order")
        for name, order in ORDER.iter_unpack(orders):
            found = self._members.get(name)
            if order == ADOPT:
                self._adopt(name)
            elif found is None:
                continue  # it has ended, and the agent does not know yet
            elif order == KILL:
                self._kill(found, "order")
            elif found.status is None:
                self._signal(found, order)

    def _adopt(self, pid: int) -> None:
        """Take the child *pid* for a member; the agent heard of it from a program, so the kernel is asked."""
        try:
            if any(member.pid == pid for member in self._members.values()):
                raise ChildProcessError
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except OSError:
            _report(pid, "failed", {"code": "failed", "message": "the copy ended before it began"})
            return
        self._members[pid] = _Member(pid, pid)
        _report(pid, "started", pid)
        self._reap()

    def _signal(self, member: _Member, number: int) -> None:
        """To the main process and its group: a shell's children are meant as much as the shell."""
        try:
            if os.getpgid(member.pid) == member.pid:
                os.killpg(member.pid, number)
            else:
                os.kill(member.pid, number)
        except ProcessLookupError:
            pass

    def _time_out(self) -> None:
        self._reap()
        if FIRST in self._members:
            self._kill(self._members[FIRST], "timeout")

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
            for member in self._members.values():
                if member.pid == pid:
                    self._ended(member, status)
        for member in list(self._members.values()):
            if self._childless or (member.status is not None and not self._has_rest(member)):
                self._finish(member)

    def _ended(self, member: _Member, status: int) -> None:
        member.status = status
        member.seconds = now() - member.started
        if member.by is None:
            member.by = "self"
            self._loop.after(GRACE, lambda: self._kill_rest(member))

    def _has_rest(self, member: _Member) -> bool:
        """Whether something of it is left: of the only one, all that this process is the parent of."""
        if len(self._members) == 1:
            return not self._childless
        found = descendants.children() or ()
        return any(descendants.session_of(child) == member.pid for child in found)

    def _kill(self, member: _Member, by: str) -> None:
        if member.by is None:
            member.by = by
        self._kill_rest(member)

    def _kill_rest(self, member: _Member) -> None:
        if member.killing_until is None:
            member.killing_until = now() + _KILL_PATIENCE
            self._kill_round(member)

    def _kill_round(self, member: _Member) -> None:
        """Until wait(2) says that there is nobody, or patience ends: then the agent inherits the rest."""
        if member.name not in self._members or member.killing_until is None:
            return
        member.rounds += 1
        spared = self._spared(member)
        if spared or member.rounds > _PLAIN_ROUNDS:
            descendants.kill_tree(spared)
        if not descendants.kill_children(spared) and member.status is None:
            self._signal(member, signals.SIGKILL)
        self._reap()
        if member.name in self._members and now() > member.killing_until:
            self._finish(member)
        self._loop.after(_KILL_PAUSE, lambda: self._kill_round(member))

    def _spared(self, member: _Member) -> Set[int]:
        """Children that are another member's, or nobody knows whose."""
        if len(self._members) == 1:
            return set()
        found = descendants.children() or ()
        return {child for child in found if descendants.session_of(child) != member.pid}

    def _finish(self, member: _Member) -> None:
        if member.name == FIRST and self._errors >= 0:
            self._listen()  # a payload that was quick: its silence is on record before its end
        if self._members.pop(member.name, None) is None:
            return
        ended: Dict[str, Any] = {
            "by": member.by,
            "status": member.status,
            "cpu": self._cpu,
            "peak": self._peak,
            "seconds": member.seconds or now() - member.started,
            "leftover": not self._members and not self._childless,
            "last": not self._members,
        }
        self._cpu, self._peak = 0.0, 0
        _report(member.name, "ended", ended)
