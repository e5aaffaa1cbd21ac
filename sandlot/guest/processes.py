"""The table of processes: what runs, and what ran in the background and may still be asked about."""

from __future__ import annotations

from . import refusal
from .loop import now
from .process import Process
from .refusal import Refusal
from .ring import Ring
from .starting import Starter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

    from .greeting import Box
    from .loop import Loop
    from .process import Audience
    from .run_request import RunRequest
    from .takeover import Underway

_FINISHED_KEPT = 64
_MOST_RUNNING = 128
_MOST_WORDS, _LONGEST_WORD = 8, 128
_ROOM_FOR_ARGV = 2**15
_END_PATIENCE = 2.0


class Background:
    """What stays of a background run when its stream is done: its last output, and who waits for its end."""

    def __init__(self) -> None:
        """Nothing has been said."""
        self.ring = Ring()
        self.waiting: List[Callable[[], None]] = []

    def output(self, data: bytes) -> None:
        """Keep it."""
        self.ring.add(data)

    def finished(self) -> None:
        """Call those who wait."""
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()


class Table:
    """Every process that runs, and the last background ones that have ended."""

    def __init__(self, loop: Loop, box: Box) -> None:
        """Nothing runs yet."""
        self.loop = loop
        self.box = box
        self._latest = 0
        self._all: Dict[str, Process] = {}
        self._backgrounds: Dict[str, Background] = {}
        self._starter = Starter(loop, box)

    def add(self, request: RunRequest) -> Process:
        """A process to start. Raises Refusal when too many run already."""
        running = [process for process in self._all.values() if not process.is_over]
        if len(running) >= _MOST_RUNNING:
            raise Refusal("failed", f"{_MOST_RUNNING} commands already run in this box; end some first")
        self._latest += 1
        name = str(self._latest)
        process = Process(name, request, self.loop, self._starter.over)
        self._all[name] = process
        if request.background:
            self._backgrounds[name] = Background()
        return process

    def start(self, process: Process, source: Optional[bytes], audience: Audience) -> None:
        """Start one that was added. Raises Refusal when the box has no room for another process."""
        branch = process.request.branch
        self._starter.start(process, source, audience, None if branch is None else self._known(branch))

    def resume(self, commands: int) -> None:
        """Count on from so many commands."""
        self._latest = commands

    def resumed(self, request: RunRequest, audience: Audience, underway: Underway) -> Process:
        """The last of them, which runs; *audience* hears the rest of it."""
        self._latest -= 1
        process = self.add(request)
        self._starter.resume(process, audience, underway)
        return process

    def forget(self, process: Process) -> None:
        """A foreground process is over, or one could not start."""
        self._all.pop(process.name, None)
        self._backgrounds.pop(process.name, None)

    def background(self, name: str) -> Background:
        """What is kept of a background process; raises Refusal when it is none."""
        found = self._backgrounds.get(name)
        if found is None:
            raise Refusal("invalid", f"process {name} does not run in the background; read its own stream")
        return found

    def trim(self) -> None:
        """Forget the oldest background processes that are over, beyond those kept."""
        over = [name for name in self._backgrounds if self._all[name].is_over]
        for name in over[:-_FINISHED_KEPT]:
            self.forget(self._all[name])

    def named(self, request: Dict[str, Any]) -> Process:
        """The process a request names; raises Refusal (not_found)."""
        return self._known(refusal.field(request, "process", str))

    def _known(self, name: str) -> Process:
        process = self._all.get(name)
        if process is None:
            raise Refusal("not_found", f"no process {name[:64]!r}; `processes` lists those that are known")
        return process

    def rows(self) -> List[Dict[str, Any]]:
        """What `processes` answers: in one frame, so argv are shown only as long as they fit."""
        rows = [row(process) for process in self._all.values()]
        room = _ROOM_FOR_ARGV
        for each in rows:
            room -= 6 * sum(len(word) + 1 for word in each["argv"])  # a character is up to six as JSON
            if room < 0:
                each["argv"] = []
        return rows

    def end(self) -> None:
        """Kill everything and wait for it, two seconds at most."""
        for process in list(self._all.values()):
            process.discard()
        until = now() + _END_PATIENCE
        while not self._starter.is_idle and now() < until:
            self.loop.after(_END_PATIENCE, lambda: None)
            self.loop.turn()
        while self._starter.sweep() and now() < until:
            pass


def row(process: Process) -> Dict[str, Any]:
    """A process as `processes` and `process_wait` tell it."""
    ended = process.outcome or {}
    return {
        "id": process.name,
        "argv": [word[:_LONGEST_WORD] for word in process.request.shown[:_MOST_WORDS]],
        "background": process.request.background,
        "running": not process.is_over,
        "exit_code": ended.get("exit_code"),
        "signal": ended.get("signal"),
        "started": process.started_at,
    }
