"""Packs memory before forks, so that what a fork allocates lies on few pages.

A fork copies each page that it writes to. What it allocates would go into the gaps that loading has left, one
here and one there. So the gaps are filled with objects that nobody touches again.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys

from ..walls.syscalls import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

_LARGEST_BLOCK = 512  # bytes of the interpreter's own allocator (obmalloc.c); what is larger is malloc(3)'s
_LARGEST_GAP = 100_000  # what is larger is mapped by itself (M_MMAP_THRESHOLD of mallopt(3))
_STEP = 16
_MOST = 2**15
_COLUMNS = 5  # class, size, pools, blocks in use, blocks free
_COMPLAINTS = 2
_fillers: List[List[object]] = []


def pack() -> None:
    """Fill the gaps for good: last of all, for what is freed later leaves others."""
    gc.collect()
    fillers: List[object] = [None] * _MOST  # is mapped by itself, and never grows
    _fillers.append(fillers)
    _fill_pools(fillers, _fill_heap(fillers))


def _fill_heap(fillers: List[object]) -> int:
    """The gaps of malloc(3), from large to small, until each size comes from behind what there was."""
    library: Any = libc()
    library.malloc_trim(0)  # joins small gaps, as a large request would do in each fork, at 60 pages
    library.sbrk.restype = ctypes.c_void_p
    end = library.sbrk(0) or 0
    size, used = _LARGEST_GAP, 0
    while size > _LARGEST_BLOCK and used < _MOST:
        fillers[used] = filler = _made(size)
        if id(filler) >= end:
            size -= max(_STEP, size // 8 // _STEP * _STEP)
        used += 1
    return used


def _fill_pools(fillers: List[object], used: int) -> None:
    """Those of the interpreter's allocator, from the number *used* on."""
    for size, count in _free_blocks().items():
        for number in range(used, min(used + count, _MOST)):
            fillers[number] = _made(size)
        used += count


def _free_blocks() -> Dict[int, int]:
    """How many blocks of each size are free among used ones: nothing where the allocator is another."""
    tell = getattr(sys, "_debugmallocstats", None)
    if tell is None:
        return {}
    reading, writing = os.pipe()
    usual = os.dup(_COMPLAINTS)
    os.dup2(writing, _COMPLAINTS)
    tell()
    os.dup2(usual, _COMPLAINTS)
    os.close(writing)
    os.close(usual)
    with open(reading, "rb") as told:
        rows = [line.split() for line in told]
    return {int(row[1]): int(row[4]) for row in rows if len(row) == _COLUMNS and b"".join(row).isdigit()}


def _made(size: int) -> object:
    """A new object of *size* bytes."""
    return complex(size) if size <= sys.getsizeof(b"") else bytes(size - sys.getsizeof(b""))
