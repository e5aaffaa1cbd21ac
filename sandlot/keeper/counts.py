"""What a box has used, read by the service itself: everybody may, and nobody has to be asked (cgroups(7))."""

from __future__ import annotations

from collections.abc import Mapping

from ..walls import cgroup
from .launch import Consumption

_BILLION = 1_000_000_000


def read(groups: Mapping[str, str]) -> Consumption | None:
    """The counters of version 1 in the directories *groups*, by controller; None where there are none.

    How many processes there are is left out.
    """
    if "memory" not in groups or "cpuacct" not in groups:
        return None
    try:
        peak = int(cgroup.page(groups["memory"], "memory.max_usage_in_bytes"))
        words = cgroup.page(groups["memory"], "memory.oom_control").split()
        kills = int(words[words.index(b"oom_kill") + 1])
        seconds = int(cgroup.page(groups["cpuacct"], "cpuacct.usage")) / _BILLION
    except (OSError, ValueError, IndexError):  # gone, or a kernel that counts otherwise: the keeper knows
        return None
    return Consumption(kills, peak, seconds)
