"""Taking away what dead keepers left: their control groups and the locks on their uids.

Their processes and mounts went with their namespaces, and the loop devices of kept workspaces with the mounts
(LO_FLAGS_AUTOCLEAR); a directory of theirs there never was.
"""

from __future__ import annotations

from . import uids
from .supplies import Supplies


def sweep(supplies: Supplies) -> int:
    """Remove the remains of keepers that are gone; the number of things removed."""
    removed = supplies.groups.clear_dead(supplies.host_proc)
    if supplies.uids is not None:
        removed += uids.sweep(supplies.uids.directory, supplies.host_proc)
    return removed
