"""A kept workspace on loan to a parked box: mounted in there before anything runs, taken back at the end.

The keeper mounts it where it has all of them, takes that mount off again and puts it over the box's empty
workspace. That may wait for the disk, so a process of its own does it. From then on the box has the only
mount, which the kernel takes away when the last process of the box ends: that one writes what is in memory
to the disk, and the first one, whose end the keeper waits for, ends after it (pid_namespaces(7)). So no child
is made at a box's end, with a copy of a table of descriptors that grows with the boxes.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ..walls import mounts, namespaces
from . import workspaces
from .keeping import Kept
from .launch import KeptMount, Refusal
from .spawn import aside
from .supplies import Supplies

PATIENCE = 30.0
"""Seconds a workspace may take to be written to the disk."""

_PLACE = "/workspace"
_LONGEST_COMPLAINT = 4096

Helpers = dict[int, Callable[[int], None]]
"""Children of the keeper that are no boxes, and who is told their wait status."""


class Loan:
    """One kept workspace, locked, as long as a box has it."""

    def __init__(self, kept: Kept, path: str, target: str, owner: tuple[int, int], nodes: str) -> None:
        """Use `begin`."""
        self._kept, self._path, self._target = kept, path, target
        self._owner, self._nodes = owner, nodes
        self._is_coming = self._is_mounted = self._is_inside = False

    @classmethod
    def begin(cls, supplies: Supplies, number: int, wanted: KeptMount | int, owner: tuple[int, int]) -> Loan:
        """Lock the workspace *wanted* for box *number* of *owner*, a uid and a gid of the host. Refusal.

        It goes by its name, or is the descriptor of an image that has none yet.
        """
        spaces = supplies.workspaces
        if spaces is None:
            why = "; ".join(supplies.powers.missing) or "no reason known"
            raise Refusal("unsupported", f"kept workspaces cannot be mounted here ({why}): use one in memory")
        path = spaces.make(number, None, *owner)
        try:
            kept, target = spaces.keep(path, wanted, is_inner=False)
        except (OSError, Refusal):
            os.rmdir(path)
            raise
        return cls(kept, path, target, owner, spaces.nodes)

    def bring(self, pidfd: int, helpers: Helpers, told: Callable[[str], None]) -> None:
        """Mount it in the box of the process *pidfd*; *told* gets why it failed, or nothing. OSError."""
        reading, writing = os.pipe2(os.O_CLOEXEC)

        def move_in() -> None:
            try:
                tree = self._kept.taken_off(self._target, self._nodes, *self._owner)
                namespaces.enter(pidfd, "mnt")
                mounts.place(tree, _PLACE)
            except BaseException as error:
                os.write(writing, f"{type(error).__name__}: {error}".encode()[:_LONGEST_COMPLAINT])
                raise

        def done(status: int) -> None:
            self._is_coming = False
            complaint = os.read(reading, _LONGEST_COMPLAINT).decode("utf-8", "replace")
            os.close(reading)
            if status == 0:
                self._is_inside = True
                self._kept.begun()
            told(complaint or ("" if status == 0 else f"the process that mounted it ended with {status}"))

        try:
            helper = aside(move_in)
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._is_coming = self._is_mounted = True
        helpers[helper] = done

    def take_back(self, helpers: Helpers) -> bool:
        """Give up its lock, and its mount where the box has none, the box being gone; False while that is
        under way. OSError.
        """
        if self._is_coming:
            return False
        if not self._is_mounted:
            self._kept.close()
        elif self._is_inside:
            if not self._kept.is_left():
                return False
        elif not self._kept.detach(self._target, aside):
            if self._kept.helper is not None:
                helpers[self._kept.helper] = self._kept.helped
            return False
        workspaces.remove(self._path)
        return True
