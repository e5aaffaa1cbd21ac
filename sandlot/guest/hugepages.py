"""Joins the memory of a zygote to huge pages, so that a fork copies one entry where it would copy 512.

What a fork writes to is copied in small pages as before: the kernel splits its own view of a huge one then.
"""

from __future__ import annotations

import ctypes

from ..walls.syscalls import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Tuple

_COLLAPSE = 25  # MADV_COLLAPSE of madvise(2), Linux 6.1
_HUGE = 2**21


def collapse() -> None:
    """Do it where the kernel can; it says no to what it cannot join, and nothing is lost by that."""
    library: Any = libc()
    for begin, end in list(_private()):
        first, last = -(-begin // _HUGE) * _HUGE, end // _HUGE * _HUGE
        if last > first:
            library.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _COLLAPSE)


def _private() -> Iterator[Tuple[int, int]]:
    """What is mapped for this process alone and can be written to."""
    with open("/proc/self/maps", "rb") as maps:
        for line in maps:
            words = line.split()
            if words[1] == b"rw-p" and (len(words) < 6 or words[5] == b"[heap]"):
                begin, _, end = words[0].partition(b"-")
                yield int(begin, 16), int(end, 16)
