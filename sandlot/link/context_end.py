"""What the end of a context's program means."""

from __future__ import annotations

from sandlot.contracts.contexts import ContextEnd, ContextEnding
from sandlot.contracts.events import Event, Exited, Failed, Reason


def concluded(end: Event | None, why: ContextEnding | None) -> ContextEnding:
    """The ending of an interpreter whose last event was *end*; *why* is what the host had decided before."""
    if isinstance(end, Exited) and end.reason is Reason.BOX_DIED:
        return why or ContextEnding(ContextEnd.BOX_DIED, f"the box died: {end.who}")
    if why is not None:
        return why
    if isinstance(end, Failed):
        return ContextEnding(ContextEnd.EXITED, end.message)
    if not isinstance(end, Exited):
        return ContextEnding(ContextEnd.BROKEN, "nobody tells how it ended")
    if end.reason is Reason.OUT_OF_MEMORY:
        return ContextEnding(ContextEnd.OUT_OF_MEMORY, "it used more memory than the sandbox has")
    how = f"exit code {end.exit_code}" if end.signal is None else f"signal {end.signal}"
    return ContextEnding(ContextEnd.EXITED, how)
