"""What the numbers were measured on: nothing that names a host, a user or a path."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts that numbers depend on. `cores` are those this process may use, `memory` bytes."""

    cores: int
    memory: int
    architecture: str
    kernel: str
    python: str


def examined() -> Machine:
    """The facts of this machine."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        architecture=platform.machine(),
        kernel=f"{platform.system()} {_upstream(platform.release())}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )


def load() -> tuple[float, float, float]:
    """The load averages of 1, 5 and 15 minutes (getloadavg(3))."""
    one, five, fifteen = os.getloadavg()
    return round(one, 2), round(five, 2), round(fifteen, 2)


def _upstream(release: str) -> str:
    """The kernel's version without what a builder added: that may name a company or a host."""
    return release.split("-", maxsplit=1)[0].split("+", maxsplit=1)[0]
