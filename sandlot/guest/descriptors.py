"""Descriptors: who keeps which. A payload has 0, 1 and 2 and nothing else (P05)."""

from __future__ import annotations

import os

from ..walls.syscalls import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List, Set, Tuple

_SELF = "/proc/self/fd"
_ALL = 0xFFFFFFFF
_INHERITED = 3


def close_all_but(kept: Iterable[int]) -> None:
    """Close every descriptor of this process that is not named."""
    _close_from(0, kept)


def place(sources: Iterable[int], *, keep: Iterable[int] = ()) -> None:
    """Make *sources* the descriptors 0, 1, 2 ..., close all others but *keep*; exec leaves the first three.

    No source may itself be a target that is filled earlier; the agent's are all above 2.
    """
    target = 0
    for source in sources:
        os.dup2(source, target, target < _INHERITED)
        target += 1
    _close_from(target, keep)


class Stood:
    """Within `with`, *standing* are the descriptors 0, 1, 2 ... too; what these were is back afterwards."""

    def __init__(self, standing: Iterable[int]) -> None:
        """Nothing is done before the `with`. *standing* are closed after it."""
        self._standing = tuple(standing)
        self._own: List[int] = []

    def __enter__(self) -> None:
        """Put them there."""
        self._own = [os.dup(target) for target in range(len(self._standing))]
        for target, source in enumerate(self._standing):
            os.dup2(source, target)

    def __exit__(self, *_: object) -> None:
        """Put back what was there."""
        for target, own in enumerate(self._own):
            os.dup2(own, target)
        close((*self._own, *set(self._standing)))


def pipe(far: List[int], *, near_reads: bool) -> Tuple[int, int]:
    """The agent's end of a new pipe, non-blocking, and the other, which is noted in *far*. OSError."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    near, other = (reading, writing) if near_reads else (writing, reading)
    far.append(other)
    os.set_blocking(near, False)
    return near, other


def close(given: Iterable[int]) -> None:
    """Close each of them."""
    for descriptor in given:
        os.close(descriptor)


def open_now() -> Set[int]:
    """The descriptors of this process. Raises OSError without /proc."""
    listed = set(map(int, os.listdir(_SELF)))
    return {descriptor for descriptor in listed if os.path.exists(f"{_SELF}/{descriptor}")}


def _close_from(first: int, kept: Iterable[int]) -> None:
    for each in sorted(kept):
        if first < each:
            os.closerange(first, each)
        first = max(first, each + 1)
    try:
        syscall("close_range", first, _ALL, 0)
    except OSError:  # older than Linux 5.9, or no Linux
        os.closerange(first, _highest() + 1)


def _highest() -> int:
    try:
        return max(map(int, os.listdir(_SELF)))
    except OSError:  # no /proc, or a wall before it: try as far as descriptors may go
        return min(os.sysconf("SC_OPEN_MAX"), 65536)
