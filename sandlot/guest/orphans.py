"""What a dead supervisor left: its descendants are the agent's children now, and nobody else will end them.

A payload of the same uid can kill its supervisor where no Landlock scope forbids it. The kernel then hands
the descendants to the agent, the next subreaper above.
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

_PAUSE = 0.002
_PATIENCE = 2.0
_PLAIN_ROUNDS = 5
_SPARING_ROUNDS = 100


class Orphans:
    """Kills and reaps children of the agent that are no supervisors, until there are none."""

    def __init__(self, loop: Loop, supervisors: Callable[[], Set[int]]) -> None:
        """supervisors: the pids that must be left alone."""
        self._loop = loop
        self._supervisors = supervisors
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
        spared = self._supervisors()
        # The other commands of the box go too before a bomb may stay.
        if os.getpid() == 1 and (not spared or self._rounds > _SPARING_ROUNDS):
            _kill_everything()
        else:
            if self._rounds > _PLAIN_ROUNDS:
                descendants.kill_tree(spared)
            descendants.kill_children(spared)
        left = [pid for pid in descendants.children() or () if pid not in spared]
        alive = [pid for pid in left if not _reaped(pid)]
        return bool(alive)


def _kill_everything() -> None:
    """All of this pid namespace but its first process, at once: no fork bomb outruns that (kill(2))."""
    try:
        os.kill(-1, SIGKILL)
    except ProcessLookupError:
        pass


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
