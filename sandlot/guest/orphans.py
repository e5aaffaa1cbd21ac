"""Children of the agent that it did not fork: what a command left whose parent has died.

The kernel hands descendants to the next subreaper above. For a command without a supervisor, and for one
whose supervisor was killed (a payload of its uid can, where no Landlock scope forbids it), that is the agent.
"""

from __future__ import annotations

import os

from . import descendants
from .loop import now
from .signals import SIGKILL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Set

    from .loop import Loop
    from .reaper import Reaper

_PAUSE = 0.002
_PATIENCE = 2.0
_PLAIN_ROUNDS = 5
_SPARING_ROUNDS = 100


class Orphans:
    """Kills and reaps children of the agent that are not spared, until there are none."""

    def __init__(self, loop: Loop, reaper: Reaper, spared: Callable[[], Set[int]]) -> None:
        """spared: the pids that must be left alone."""
        self._loop = loop
        self._reaper = reaper
        self._spared = spared
        self._waiting: List[Callable[[], None]] = []
        self._until = 0.0
        self._rounds = 0

    def end(self, ended: Callable[[], None]) -> None:
        """Begin; call back when none is left, or after two seconds: then the host must end the box."""
        self._until = now() + _PATIENCE
        self._rounds = 0
        self._waiting.append(ended)
        if len(self._waiting) == 1:
            self._round()

    def are_any(self) -> bool:
        """Whether there is one, dead ones that nobody waited for not counted."""
        if self._reaper.is_childless:
            return False
        spared = self._spared()
        return any(pid not in spared for pid in descendants.children() or ())

    def _round(self) -> None:
        if self.sweep() and now() < self._until:
            self._loop.after(_PAUSE, self._round)
            return
        waiting, self._waiting = self._waiting, []
        for ended in waiting:
            ended()

    def sweep(self) -> bool:
        """Kill and reap once; whether any is left."""
        self._rounds += 1
        spared = self._spared()
        # The other commands of the box go too before a bomb may stay.
        if os.getpid() == 1 and (not spared or self._rounds > _SPARING_ROUNDS):
            _kill_everything()
        else:
            if self._rounds > _PLAIN_ROUNDS:
                descendants.kill_tree(spared)
            descendants.kill_children(spared)
        self._reaper.reap()
        return self.are_any()


def _kill_everything() -> None:
    """All of this pid namespace but its first process, at once: no fork bomb outruns that (kill(2))."""
    try:
        os.kill(-1, SIGKILL)
    except ProcessLookupError:
        pass
