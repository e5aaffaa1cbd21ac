"""The next context of a box, started before anybody asks: like the last one, and nobody's yet.

To start one takes two forks of all that the agent has loaded, most of what its first result would wait for.
It stands behind the same walls as one that was asked for, for it is started in the same way; it has greeted,
into a pipe that nobody reads, and waits for its first cell.
"""

from __future__ import annotations

import os

from . import launch
from .supervised import Supervised
from .supervisor import KILL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

    from .attended import Patron
    from .greeting import Box
    from .loop import Loop
    from .reaper import Reaper
    from .run_request import RunRequest

_LEAST_PROCESSES = 64
"""Of a box that may have fewer none is taken for what nobody asked for."""


class Standby:
    """One context that waits; the patron of its supervisor until somebody asks for it."""

    def __init__(
        self,
        request: RunRequest,
        source: bytes,
        box: Box,
        loop: Loop,
        reaper: Reaper,
        bereaved: Callable[[Callable[[], None]], None],
    ) -> None:
        """Start one as *request* did. OSError when there is no room for it.

        In its own process this leaves by payload.Handover.
        """
        self._kind = _kind(request, source)
        self._patron: Optional[Patron] = None
        self._reports: List[Dict[str, Any]] = []
        self._is_lost = False
        self._loop = loop
        self._ends = launch.start(request, source, box)
        self.care = Supervised(self._ends, loop, reaper, bereaved)
        self.care.begin(self)

    def fits(self, request: RunRequest, source: Optional[bytes]) -> bool:
        """Whether it lives, and *request* would start the same."""
        is_of_kind = request.branch is None and self._kind == _kind(request, source or b"")
        return is_of_kind and not self._is_lost and self._lives()

    def give(self, patron: Patron) -> None:
        """It is *patron*'s from now on, who hears what was told of it so far."""
        self._patron = patron
        for report in self._reports:
            patron.heard(report)

    def drop(self) -> None:
        """End it."""
        self._is_lost = True
        self.care.order(KILL)

    def heard(self, report: Dict[str, Any]) -> None:
        """As its supervisor reports."""
        if self._patron is not None:
            self._patron.heard(report)
        else:
            self._is_lost = self._is_lost or "started" not in report
            self._reports.append(report)

    def gone(self) -> None:
        """None of its processes is left."""
        if self._patron is not None:
            self._patron.gone()
            return
        self._is_lost = True
        for descriptor in (self.care.stdin, self.care.stdout, self.care.stderr, self.care.value):
            if descriptor is not None:
                os.close(descriptor)

    def _lives(self) -> bool:
        """Whether its program does: it may have been killed, and its supervisor not have come to say so."""
        started = [report["started"] for report in self._reports]
        try:
            with open(f"/proc/{started[0]}/stat", "rb") as told:
                return told.read().rpartition(b") ")[2][:1] not in b"ZX"
        except IndexError:  # it is coming up
            return True
        except OSError:
            return False


def is_wanted(request: RunRequest, box: Box) -> bool:
    """Whether another one like *request* is worth its memory; a kernel, a program of its own, is not."""
    if not request.context or request.branch is not None or request.last or request.language != "python":
        return False
    return dict(box.plan.rlimits).get("nproc", _LEAST_PROCESSES) >= _LEAST_PROCESSES


def _kind(request: RunRequest, source: bytes) -> Tuple[object, ...]:
    """What two contexts have in common that cannot be told from one another."""
    about = request.context, request.language, request.workdir, request.stdin, request.timeout
    limits = request.output_limit, request.flood_limit
    try:  # another directory may be there by now, or none: who asks then has to be told
        found = os.stat(request.workdir)
        place: Tuple[int, ...] = (found.st_dev, found.st_ino)
    except OSError:
        place = ()
    return (*about, *limits, place, tuple(sorted(request.env.items())), source)
