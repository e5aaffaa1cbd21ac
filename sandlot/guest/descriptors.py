"""Descriptors: who keeps which. A payload has 0, 1 and 2 and nothing else (P05)."""

from __future__ import annotations

import os

from ..walls.syscalls import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List, Set, Tuple

_SELF = "/proc/self/fd"
_ALL = 0xFFFFFFFF


def close_all_but(kept: Iterable[int]) -> None:
    """Close every descriptor of this process that is not named."""
    wanted = sorted(set(kept))
    for low, high in zip([-1, *wanted], wanted):
        if low + 1 < high:  # an empty range that ends before 0 means everything to close_range(2)
            os.closerange(low + 1, high)
    _close_from(wanted[-1] + 1 if wanted else 0)


def place(sources: Iterable[int], *, keep: Iterable[int] = ()) -> None:
    """Make *sources* the descriptors 0, 1, 2 ..., inheritable, and close all others but *keep*.

    No source may itself be a target that is filled earlier; the agent's are all above 2.
    """
    count = 0
    for target, source in enumerate(sources):
        os.dup2(source, target)
        count = target + 1
    close_all_but([*range(count), *keep])


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


def _close_from(first: int) -> None:
    try:
        syscall("close_range", first, _ALL, 0)
    except OSError:  # older than Linux 5.9, or no Linux
        os.closerange(first, _highest() + 1)


def _highest() -> int:
    try:
        return max(map(int, os.listdir(_SELF)))
    except OSError:  # no /proc, or a wall before it: try as far as descriptors may go
        return min(os.sysconf("SC_OPEN_MAX"), 65536)
