"""One box made by a zygote, from the request for it to the removal of the last trace."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..walls import mounts, namespaces
from .cgroups import Group
from .launch import Cause, Code, Consumption, Exit, KeptMount, Refusal
from .loan import Helpers, Loan
from .orders import Fit, Limits
from .shapes import flat
from .supplies import Supplies, Tell, Watch
from .uids import UidRange
from .warden import ALONE

_WORKSPACE = "/workspace"
_SCRATCH = ("/tmp", "/dev/shm")
_PATIENCE = 2.0
_RETRY = 0.005
_STUCK_RETRY = 0.25
_STANDS = b"+"


@dataclass(slots=True)
class ParkedBox:
    """A box of a zygote. `given` are descriptors until they are handed over, `report` tells its start."""

    number: int
    request: int
    zygote: int
    group: Group | None
    uids: UidRange | None
    uid: int
    given: list[int]
    report: int
    pidfd: int = -1
    kills: list[int] = field(default_factory=list)
    failure: str = ""
    code: Code = "start_failed"
    cause: Cause = "exited"
    stands: bool = False
    is_ending: bool = False
    used: Consumption | None = None
    deadline: float = 0.0
    is_stuck: bool = False
    watch: Watch | None = None
    loan: Loan | None = None
    asked: float = 0.0
    """When a zygote was last asked for it, by the monotonic clock; 0.0: not yet."""
    tries: int = 0
    leaving: dict[int, ParkedBox] = field(default_factory=dict)
    """Where it enters itself, by its number, when it is to go away."""

    @classmethod
    def begin(
        cls,
        number: int,
        request: int,
        zygote: int,
        supplies: Supplies,
        uids: UidRange | None,
        limits: Limits,
        descriptors: list[int],
    ) -> ParkedBox:
        """Take a uid, make its control group and gather what it is given, all of *descriptors* included.

        Refusal, and nothing is left but *descriptors*.
        """
        uid = ALONE if uids is None else uids.take()
        group: Group | None = None
        given: list[int] = []
        ours: list[int] = []
        try:
            group = supplies.groups.create(number, limits, is_plain=True)
            report, reporting = os.pipe2(os.O_CLOEXEC)
            ours.append(report)
            given.append(reporting)
            given += [] if group is None else group.doors()
        except OSError as error:
            for descriptor in (*given, *ours):
                os.close(descriptor)
            if group is not None:
                group.remove()
            if uids is not None:
                uids.give_back(uid)
            raise Refusal("start_failed", f"the box could not be made: {error}") from error
        os.set_blocking(report, False)
        given[:0] = descriptors
        descriptors.clear()
        return cls(number, request, zygote, group, uids, uid, given, report)

    def asking(self) -> bytes:
        """The packet that asks a zygote for it."""
        return json.dumps({"park": self.number, "uid": self.uid}).encode()

    def is_asked(self) -> None:
        """A zygote was sent what it is given; the originals stay until it is born, for the next zygote."""
        self.asked = time.monotonic()
        self.tries += 1

    def handed_over(self) -> None:
        """The zygote has copies of what it is given, and nobody else will need them."""
        for descriptor in self.given:
            os.close(descriptor)
        self.given.clear()

    def born(self, pidfd: int, watch: Watch, tell: Tell) -> None:
        """It is a process now, by the descriptor *pidfd*, which it owns."""
        self.pidfd, self.watch = pidfd, watch
        self.handed_over()
        if self.is_ending:  # it was killed before it was there
            self._strike()

        def ended() -> None:
            watch(pidfd, None)
            self._begin_to_end()

        def reported() -> None:
            watch(self.report, None)
            self._hear(tell)

        watch(pidfd, ended)
        watch(self.report, reported)

    def fail(self, why: str, code: Code = "start_failed") -> None:
        """It was never born."""
        self.failure, self.code = why, code
        self._begin_to_end()

    def fit(self, fit: Fit) -> None:
        """Give it other limits and another size of its workspace. Refusal, after which it is to be killed."""
        self._demand_life()
        try:
            if self.group is not None:
                self.group.limit(fit.limits)
            self._resize(fit)
        except OSError as error:
            raise Refusal("start_failed", f"the box could not be fitted: {error}") from error

    def furnish(
        self, wanted: KeptMount | int, supplies: Supplies, helpers: Helpers, told: Callable[[str], None]
    ) -> None:
        """Mount the kept workspace *wanted* in it, which may be the descriptor of an image without a name.

        *told* gets why it failed, or nothing. Refusal, also for a second one.
        """
        self._demand_life()
        if self.loan is not None:
            raise Refusal("conflict", f"parked box {self.number} has a workspace: take another box")
        try:
            self.loan = Loan.begin(supplies, self.number, wanted, self._owner())
            self.loan.bring(self.pidfd, helpers, told)
        except OSError as error:
            raise Refusal("start_failed", f"its workspace could not be mounted: {error}") from error

    def _demand_life(self) -> None:
        if self.is_ending or not self.stands:
            raise Refusal("start_failed", f"parked box {self.number} has ended")

    def kill(self, request: int | None) -> None:
        """Kill all of it: its pid namespace dies with its first process."""
        if request is not None:
            self.kills.append(request)
        if not self.is_ending:
            self.cause = "killed"
            self._begin_to_end()
        self._strike()

    def consumption(self) -> Mapping[str, Any]:
        """What it has used so far."""
        used = self.used or (self.group.consumption() if self.group is not None else Consumption())
        return flat(used)

    @property
    def pause(self) -> float:
        """Seconds until another look at it makes sense."""
        return _STUCK_RETRY if self.is_stuck else _RETRY

    def is_gone(self, helpers: Helpers) -> bool:
        """Take away what can be taken away now; whether nothing is left."""
        if self.pidfd < 0 and not self.failure:
            return False  # the zygote has it in hand
        if self.pidfd >= 0 and not _is_dead(self.pidfd):
            self.is_stuck = time.monotonic() > self.deadline
            return False
        if self.group is not None:
            self.used = self.used or self.group.consumption()
            if not self.group.remove():
                self.is_stuck = time.monotonic() > self.deadline
                return False
            self.group = None
        if self.loan is not None:
            try:
                if not self.loan.take_back(helpers):
                    return False
            except OSError:
                self.is_stuck = time.monotonic() > self.deadline
                return False
            self.loan = None
        self._free()
        return True

    def tell_end(self, tell: Tell) -> None:
        """Say that it is gone, to whoever asked for its end or its start, and to everybody."""
        for request in self.kills:
            tell({"id": request, "ok": {}})
        if not self.stands:
            message = f"the box did not start: {self.failure or 'it ended while it was furnished'}"
            tell({"id": self.request, "error": {"code": self.code, "message": message}})
            return
        used = self.used or Consumption()
        told = Exit(int(signal.SIGKILL), self.cause, used.oom_kills, used.memory_peak, used.cpu_seconds)
        tell({"event": "exit", "box": self.number, "exit": flat(told)})

    def _hear(self, tell: Tell) -> None:
        with contextlib.suppress(BlockingIOError):
            said = os.read(self.report, 64)
            self.stands = said == _STANDS
        if self.stands and not self.is_ending:
            groups = {} if self.group is None else self.group.directories
            tell({"id": self.request, "ok": {"box": self.number, "groups": groups}})
        elif not self.stands:
            self._begin_to_end()
            self._strike()

    def _begin_to_end(self) -> None:
        if not self.is_ending:
            self.is_ending = True
            self.leaving[self.number] = self
            self.deadline = time.monotonic() + _PATIENCE

    def _strike(self) -> None:
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def _resize(self, fit: Fit) -> None:
        """Remount what is in memory, where the box has it."""
        here = namespaces.keep("mnt")
        try:
            namespaces.enter(self.pidfd, "mnt")
            try:
                if fit.disk is not None:
                    self._bound(_WORKSPACE, fit.disk, fit.inodes)
                if fit.scratch is not None:
                    for place in _SCRATCH:
                        self._bound(place, fit.scratch)
            finally:
                namespaces.enter(here, "mnt")
        finally:
            os.close(here)

    def _bound(self, place: str, size: int, inodes: int | None = None) -> None:
        # A zygote's packages have power over these mounts, and may have put one of the host's there that is
        # shown to them: a remount of ours would change it for everybody. Held by the working directory, which
        # nothing can be put in place of; entering the keeper's own mounts again leaves it.
        os.chdir(place)
        if os.stat(".").st_uid != self._owner()[0]:
            raise PermissionError(errno.EPERM, "what is mounted there is not the box's own", place)
        mounts.resize(".", size, inodes)

    def _owner(self) -> tuple[int, int]:
        """User and group of the box, as the host counts."""
        return (os.geteuid(), os.getegid()) if self.uids is None else (self.uids.first + self.uid,) * 2

    def _free(self) -> None:
        self.handed_over()
        if self.watch is not None:
            self.watch(self.report, None)
            self.watch(self.pidfd, None)
        os.close(self.report)
        if self.pidfd >= 0:
            os.close(self.pidfd)
        if self.uids is not None:
            self.uids.give_back(self.uid)


def _is_dead(pidfd: int) -> bool:
    # select(2) takes no descriptor from 1,024 on, and a keeper of some hundred boxes has them.
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    return bool(waiting.poll(0))
