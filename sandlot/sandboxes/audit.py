"""The audit log: one line for each thing that happens to a sandbox; never code, variables or output."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable

from sandlot.contracts.errors import SandlotError
from sandlot.contracts.lease import Ending

from .record import Record

LOGGER = logging.getLogger("sandlot.sandboxes")


def tell(event: str, record: Record, ending: Ending | None = None, *, cause: str | None = None) -> None:
    """Log that *event* (a past participle such as "created") happened to the sandbox of *record*.

    The line is one JSON object, so no name in it can forge another line.
    """
    if not LOGGER.isEnabledFor(logging.INFO):
        return
    fields = {"event": event, "owner": record.owner, "sandbox": record.id, "engine": record.engine}
    if ending is not None:
        fields.update(reason=ending.reason.value, detail=ending.detail)
    if cause is not None:
        fields.update(cause=cause)
    LOGGER.info("%s", json.dumps(fields))


async def quietly(work: Awaitable[object], about: str) -> None:
    """Do *work* whose failure no caller can mend: it is logged, and the next service clears up."""
    try:
        await work
    except (SandlotError, OSError) as error:
        LOGGER.warning("%s", json.dumps({"event": "not cleared up", "about": about, "cause": str(error)}))
