"""The agent as a parent: it waits for every child, its own and those it inherits, and tells whom it concerns.

As the first process of a box, or as a subreaper, it becomes the parent of whatever loses its own (P08).
"""

from __future__ import annotations

import os
import resource  # noqa: F401 - wait4 needs it, and would look for it after the walls went up

from . import signals
from .loop import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict

    from .loop import Loop

    Ended = Callable[[int, Any], None]


class Reaper:
    """Reaps children as they die.

    strangers_cpu, strangers_peak: seconds of processor time and the largest resident size, in bytes, of
    those whom nobody expected.
    """

    def __init__(self, loop: Loop) -> None:
        """Be woken by SIGCHLD from now on."""
        waking, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signals.wake_on_child(wake)
        loop.watch(waking, READ, lambda: self._woken(waking))
        self._expected: Dict[int, Ended] = {}
        self.is_childless = False
        self.strangers_cpu = 0.0
        self.strangers_peak = 0

    def expect(self, pid: int, ended: Ended) -> None:
        """Call *ended* with wait status and resource usage, once, when the child *pid* has died."""
        self._expected[pid] = ended
        self.is_childless = False

    def reap(self) -> None:
        """Collect every child that is dead; `is_childless` tells whether none is left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                self.is_childless = True
                return
            self.is_childless = False
            if pid == 0:
                return
            ended = self._expected.pop(pid, None)
            if ended is not None:
                ended(status, usage)
            else:
                self.strangers_cpu += usage.ru_utime + usage.ru_stime
                self.strangers_peak = max(self.strangers_peak, usage.ru_maxrss * 1024)

    def _woken(self, waking: int) -> None:
        os.read(waking, 4096)
        self.reap()
