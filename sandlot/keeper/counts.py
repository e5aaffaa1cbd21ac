"""What a box has used, read by the service itself: everybody may, and nobody has to be asked (cgroups(7))."""

from __future__ import annotations

from collections.abc import Mapping

from .launch import Consumption

_BILLION = 1_000_000_000


def read(groups: Mapping[str, str]) -> Consumption | None:
    """The counters of version 1 in the directories *groups*, by controller; None where there are none."""
    if not {"memory", "cpuacct", "pids"} <= groups.keys():
        return None
    try:
        with open(f"{groups['memory']}/memory.max_usage_in_bytes", "rb", buffering=0) as file:
            peak = int(file.read())
        with open(f"{groups['memory']}/memory.oom_control", "rb", buffering=0) as file:
            kills = next(int(line[9:]) for line in file.read().splitlines() if line.startswith(b"oom_kill "))
        with open(f"{groups['cpuacct']}/cpuacct.usage", "rb", buffering=0) as file:
            seconds = int(file.read()) / _BILLION
        with open(f"{groups['pids']}/pids.current", "rb", buffering=0) as file:
            pids = int(file.read())
    except (OSError, ValueError, StopIteration):  # gone, or a kernel that counts otherwise: the keeper knows
        return None
    return Consumption(kills, peak, seconds, pids)
