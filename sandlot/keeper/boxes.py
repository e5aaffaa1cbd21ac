"""The boxes of one keeper: start, kill as a unit, and take everything of a box away once it ended.

A box ends with its first process. From then on `settle` is asked again and again until its cgroup is
empty and removed, no orphan of it lives, and its workspace is unmounted; only then is its end told.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import census, workspaces
from .cgroups import Group
from .keeping import Kept
from .launch import WORKSPACE_MARK, Cause, Consumption, Exit, Launch, Refusal, objection
from .shapes import flat
from .spawn import Birth, aside, give_birth
from .supplies import Supplies, Tell, Watch

PATIENCE = 2.0  # seconds until a box that will not go away is reported as stuck (it is still retried)
_DISK_PATIENCE = 30.0  # the same while a kept workspace is written to the disk
_RETRY = 0.005  # seconds between two looks at a box that is going away
_STUCK_RETRY = 0.25


@dataclass(slots=True)
class Box:
    """One box: `errors` is open until exec and then `request` answered, `kills` at the end.

    `is_written` says that what is in its kept workspace is on its way to the disk.
    """

    number: int
    request: int
    group: Group | None = None
    uid: int | None = None
    workspace: str | None = None
    kept: Kept | None = None
    mount_point: str = ""
    is_written: bool = False
    pid: int = 0
    errors: int | None = None
    failure: str = ""
    wait_status: int | None = None
    cause: Cause = "exited"
    kills: list[int] = field(default_factory=list)
    consumption: Consumption | None = None
    deadline: float | None = None
    trouble: str = "left processes or a cgroup"
    is_told: bool = False


class Boxes:
    """All boxes of this keeper; answers and news go to *tell*."""

    def __init__(self, supplies: Supplies, tell: Tell, watch: Watch) -> None:
        """No box yet."""
        self._supplies, self._tell, self._watch = supplies, tell, watch
        self._boxes: dict[int, Box] = {}
        self._leaving: dict[int, Box] = {}
        self._by_pid: dict[int, Box] = {}
        self.helpers: dict[int, Callable[[int], None]] = {}
        """Children that are no boxes, and who is told their wait status."""
        self._made = 0

    @property
    def count(self) -> int:
        """How many boxes there are of which something is left."""
        return len(self._boxes)

    def number(self) -> int:
        """The number of the next box."""
        self._made += 1
        return self._made

    def spawn(self, request: int, launch: Launch, descriptors: Sequence[int]) -> None:
        """Start a box; the answer follows at exec. Refusal."""
        powers = self._supplies.powers
        if why_not := objection(launch, powers, is_root=os.geteuid() == 0):
            raise Refusal("unsupported", why_not)
        box = Box(self.number(), request)
        try:
            self._equip(box, launch)
            box.pid, box.errors = give_birth(self._birth(box, launch, descriptors))
        except (OSError, Refusal) as error:
            self._strip(box)
            code = error.code if isinstance(error, Refusal) else "start_failed"
            raise Refusal(code, f"the box could not be made: {error}") from error
        self._boxes[box.number] = self._by_pid[box.pid] = box
        self._watch(box.errors, lambda: self._started(box))

    def _started(self, box: Box) -> None:
        """Read what the child said before exec: nothing means that it runs the launch's program."""
        if box.errors is None:
            return
        try:
            box.failure = os.read(box.errors, 4096).decode("utf-8", "replace")
        except BlockingIOError:
            return
        self._watch(box.errors, None)
        os.close(box.errors)
        box.errors = None
        if not box.failure:
            if box.kept is not None:
                box.kept.begun()
            self._tell({"id": box.request, "ok": {"box": box.number}})

    def kill(self, request: int, number: int) -> None:
        """Kill a box as a unit; the answer follows when nothing of it is left."""
        box = self._boxes.get(number)
        if box is None:
            self._tell({"id": request, "ok": {}})
            return
        box.kills.append(request)
        self._strike(box)

    def kill_all(self) -> None:
        """Kill every box."""
        for box in self._boxes.values():
            self._strike(box)

    def consumption(self, number: int) -> Consumption:
        """What a box has used so far; all None when it is gone or has no cgroup."""
        box = self._boxes.get(number)
        return box.group.consumption() if box is not None and box.group is not None else Consumption()

    def reap(self) -> None:
        """Collect every dead child: first processes of boxes, and orphans that came to the keeper."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self.helpers:
                    self.helpers.pop(pid)(status)
                box = self._by_pid.pop(pid, None)
                if box is not None:
                    box.wait_status = status
                    self._leave(box)

    def settle(self) -> float | None:
        """Take away what ended; the seconds after which to look again, None when nothing is going away."""
        now = time.monotonic()
        pause: float | None = None
        for box in tuple(self._leaving.values()):
            if self._is_gone(box):
                del self._boxes[box.number], self._leaving[box.number]
                self._tell_end(box)
                continue
            if box.deadline is not None and now > box.deadline and not box.is_told:
                self._tell_stuck(box)
            pause = _STUCK_RETRY if box.is_told and pause is None else _RETRY
        return pause

    def _equip(self, box: Box, launch: Launch) -> None:
        supplies = self._supplies
        if launch.identity == "box" and supplies.uids is not None:
            box.uid = supplies.uids.take(lambda: census.living_uids(supplies.proc))
        if supplies.workspaces is not None and (launch.workspace or launch.kept):
            box.workspace = supplies.workspaces.make(box.number, launch.workspace, *_owner_of(box))
            if launch.kept is not None:
                is_inner = launch.workspace is not None
                kept = supplies.workspaces.keep(box.workspace, launch.kept, is_inner=is_inner)
                box.kept, box.mount_point = kept
        box.group = supplies.groups.create(box.number, launch)

    def _birth(self, box: Box, launch: Launch, descriptors: Sequence[int]) -> Birth:
        path = box.workspace or ""
        return Birth(
            argv=tuple(element.replace(WORKSPACE_MARK, path) for element in launch.argv),
            env=launch.env,
            descriptors=dict(zip((0, 1, 2, *launch.extra_fds), descriptors, strict=True)),
            rlimits=launch.rlimits,
            uid=box.uid,
            group=box.group,
            prepare=self._attaching(box),
        )

    def _attaching(self, box: Box) -> Callable[[], None] | None:
        # In the child, which may have to wait for the disk: the keeper has other boxes.
        kept, spaces = box.kept, self._supplies.workspaces
        if kept is None or spaces is None:
            return None

        def attach() -> None:
            kept.attach(box.mount_point, spaces.nodes, *_owner_of(box))

        return attach

    def _leave(self, box: Box) -> None:
        box.deadline = box.deadline or time.monotonic() + PATIENCE
        self._leaving[box.number] = box

    def _strike(self, box: Box) -> None:
        self._leave(box)
        if box.wait_status is None:
            box.cause = "killed"
        if box.group is not None:
            box.group.kill()
        if box.wait_status is None:
            for kill in (os.killpg, os.kill):  # the group exists only once the child leads its session
                with contextlib.suppress(ProcessLookupError):
                    kill(box.pid, signal.SIGKILL)

    def _is_gone(self, box: Box) -> bool:
        """Take away what can be taken away now; True when nothing is left."""
        if box.wait_status is None or self._kill_strays():
            return False
        self._started(box)
        try:
            return self._strip(box)
        except OSError as error:
            box.trouble = f"left something behind: {error}"
            return False

    def _kill_strays(self) -> bool:
        # A child of the keeper that is no box's first process lost its parent: bubblewrap's second half, a
        # supervisor of an agent that was killed, a daemon. Nobody waits for it, and it must not stay.
        keeper = os.getpid()
        known = self._by_pid.keys() | self.helpers.keys()
        strays = [pid for pid in census.children(self._supplies.proc, keeper) if pid not in known]
        for pid in strays:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(strays)

    def _strip(self, box: Box) -> bool:
        if box.group is not None:
            box.group.kill()
            box.consumption = box.consumption or box.group.consumption()
        if box.kept is not None and not self._is_detached(box, box.kept):
            return False
        box.kept = None
        if box.workspace is not None:
            workspaces.remove(box.workspace)
            box.workspace = None
        if box.group is not None and not box.group.remove():
            return False
        if box.uid is not None and self._supplies.uids is not None:
            self._supplies.uids.give_back(box.uid)
        return True

    def _is_detached(self, box: Box, kept: Kept) -> bool:
        if not box.pid:  # nothing was mounted
            kept.close()
            return True
        if kept.detach(box.mount_point, aside):
            return True
        if kept.helper is not None:
            self.helpers[kept.helper] = kept.helped
        if not box.is_written:
            box.is_written = True
            box.deadline = time.monotonic() + _DISK_PATIENCE
        return False

    def _tell_end(self, box: Box) -> None:
        for request in box.kills:
            self._tell({"id": request, "ok": {}})
        if box.failure:
            refusal = {"code": "start_failed", "message": f"the box did not start: {box.failure}"}
            self._tell({"id": box.request, "error": refusal})
        elif not box.is_told:
            self._tell({"event": "exit", "box": box.number, "exit": flat(_exit_of(box))})

    def _tell_stuck(self, box: Box) -> None:
        box.is_told = True
        why = "is not reaped" if box.wait_status is None else box.trouble
        message = f"box {box.number} {why} {PATIENCE:g} s after it was killed; the keeper keeps trying"
        for request in box.kills:
            self._tell({"id": request, "error": {"code": "stuck", "message": message}})
        box.kills.clear()
        self._tell({"event": "exit", "box": box.number, "exit": flat(_exit_of(box))})


def _owner_of(box: Box) -> tuple[int, int]:
    return (os.geteuid(), os.getegid()) if box.uid is None else (box.uid, box.uid)


def _exit_of(box: Box) -> Exit:
    used = box.consumption or Consumption()
    status = signal.SIGKILL if box.wait_status is None else box.wait_status
    return Exit(int(status), box.cause, used.oom_kills, used.memory_peak, used.cpu_seconds)
