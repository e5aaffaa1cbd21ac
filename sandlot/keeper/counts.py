"""What a box has used, read by the service itself: everybody may, and nobody has to be asked (cgroups(7))."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .launch import Consumption

_BILLION = 1_000_000_000
_LONGEST = 4096  # a page, and these files hold a line or four


def read(groups: Mapping[str, str]) -> Consumption | None:
    """The counters of version 1 in the directories *groups*, by controller; None where there are none."""
    if not {"memory", "cpuacct", "pids"} <= groups.keys():
        return None
    try:
        peak = int(_content(f"{groups['memory']}/memory.max_usage_in_bytes"))
        words = _content(f"{groups['memory']}/memory.oom_control").split()
        kills = int(words[words.index(b"oom_kill") + 1])
        seconds = int(_content(f"{groups['cpuacct']}/cpuacct.usage")) / _BILLION
        pids = int(_content(f"{groups['pids']}/pids.current"))
    except (OSError, ValueError, IndexError):  # gone, or a kernel that counts otherwise: the keeper knows
        return None
    return Consumption(kills, peak, seconds, pids)


def _content(path: str) -> bytes:
    # A file object would make eight system calls of these three, and a box is counted by four files.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LONGEST)
    finally:
        os.close(descriptor)
