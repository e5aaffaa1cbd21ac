"""All cases, in the order of the threat list."""

from __future__ import annotations

from . import archives, filesystem, kernel, neighbours, network, processes, resources
from .case import Case

CASES: tuple[Case, ...] = (
    *filesystem.CASES,
    *network.CASES,
    *processes.CASES,
    *kernel.CASES,
    *resources.CASES,
    *archives.CASES,
    *neighbours.CASES,
)
