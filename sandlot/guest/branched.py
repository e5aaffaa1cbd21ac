"""A copy of a context: forked by its program, on pipes that the agent made, beside it under its supervisor.

The program tells the copy's pid on a pipe of its own; the supervisor takes it only for a child of its own.
"""

from __future__ import annotations

import os

from . import descriptors, supervisor
from .loop import READ
from .passing import Passing
from .refusal import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from .attended import Patron
    from .loop import Loop
    from .supervised import Supervised

_READ_SIZE = 64
_NOT_MADE = "the context made no copy"


class Branched:
    """One copy, from the pipes it will have to its end; with the descriptors of a launch.Ends."""

    def __init__(self, family: Supervised, of: Passing, loop: Loop) -> None:
        """Hand pipes to the context at the other side of *of*. Raises OSError, with nothing left open."""
        self.family, self._loop = family, loop
        self._name: Optional[int] = None
        self._heard = b""
        self._is_over = False
        far: List[int] = []
        near: List[int] = []
        passing: Optional[Passing] = None
        try:
            for near_reads in (False, True, True, True, True):
                near += [descriptors.pipe(far, near_reads=near_reads)[0]]
            passing = Passing(far)
            of.send(far)
        except OSError:
            descriptors.close(near)
            if passing is not None:
                passing.close()
            raise
        finally:
            descriptors.close(far)
        self.passing: Optional[Passing] = passing
        self.stdin: Optional[int] = near[0]
        self.stdout: int = near[1]
        self.stderr: Optional[int] = near[2]
        self.value: Optional[int] = near[3]
        self._births = near[4]

    @property
    def pid(self) -> int:
        """Its supervisor's, which is that of the context it was forked from."""
        return self.family.pid

    def begin(self, patron: Patron) -> None:
        """Wait for it to be born; everything is told to *patron*."""
        self._patron = patron
        self._loop.watch(self._births, READ, self._born)

    def order(self, number: int) -> None:
        """A signal for it, or supervisor.KILL."""
        if self._name is not None:
            self.family.tell(self._name, number)
        elif number == supervisor.KILL:
            self._fail("the copy was given up before it began")

    def force(self) -> None:
        """As Supervised.force."""
        if self._name is not None:
            self.family.force_for(self._name)

    def heard(self, report: Dict[str, Any]) -> None:
        """As its supervisor reports."""
        if "failed" in report:
            self._fail(report["failed"]["message"])
        else:
            self._patron.heard(report)

    def gone(self) -> None:
        """Its supervisor knows nothing of it any more."""
        if not self._is_over:
            self._is_over = True
            if self.passing is not None:
                self.passing.close()
            self._patron.gone()

    def _born(self) -> None:
        try:
            data = os.read(self._births, _READ_SIZE)
        except BlockingIOError:
            return
        self._heard += data
        line, end, _ = self._heard.partition(b"\n")
        if end and line.isdigit():
            self._hear_no_more()
            self._name = int(line) % 2**32
            self.family.adopt(self._name, self)
        elif end or not data or len(self._heard) > _READ_SIZE:
            self._fail(_NOT_MADE)

    def _hear_no_more(self) -> None:
        if self._births >= 0:
            self._loop.forget(self._births)
            os.close(self._births)
            self._births = -1

    def _fail(self, why: str) -> None:
        """There is none."""
        if self._is_over:
            return
        self._hear_no_more()
        self._patron.heard({"failed": {"code": "failed", "message": why}})
        ended = {"by": "order", "status": None, "cpu": 0.0, "peak": 0, "seconds": 0.0}
        self._patron.heard({"ended": ended})
        self.gone()


def made(family: Optional[Supervised], of: Optional[Passing], loop: Loop) -> Branched:
    """A copy of a context to be. Raises Refusal where there is none, OSError without room."""
    if family is None or of is None:
        raise Refusal("invalid", "a copy is made of a context that runs; this is none")
    return Branched(family, of, loop)
