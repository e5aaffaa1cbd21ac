"""Sandboxes as people and programs read them."""

from __future__ import annotations

import time
from typing import Any, Dict, Sequence, Tuple

from sandlot.contracts.service import SandboxStatus
from sandlot.wire.statuses import status_to_json

from . import render

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
HEAD = ("ID", "STATE", "ENGINE", "ISOLATION", "AGE", "EXPIRES", "ENDED")


def document(status: SandboxStatus) -> Dict[str, Any]:
    """*status* as JSON, in the words of the HTTP API; `podName` is NoxRunner's and left out."""
    told = status_to_json(status, "")
    del told["podName"]
    return told


def tell(status: SandboxStatus, *, as_json: bool) -> None:
    """Print *status* as a line, or as a document."""
    if as_json:
        render.document(document(status))
    else:
        print(render.escaped(_line(status, time.time())))


def table(found: Sequence[SandboxStatus]) -> None:
    """Print *found* as a table."""
    now = time.time()
    render.table([HEAD, *(cells(status, now) for status in found)])


def _line(status: SandboxStatus, now: float) -> str:
    """*status* in one line: name, engine, isolation and when it expires."""
    row = cells(status, now)
    return "  ".join((row[0], row[2], row[3], f"expires {row[5]}"))


def cells(status: SandboxStatus, now: float) -> Tuple[str, ...]:
    """One row of the table, at *now* in seconds since the epoch (pure)."""
    expires = status.lease.expires
    ending = status.ending
    return (
        status.id,
        status.state.value,
        status.engine,
        status.isolation.name.lower(),
        length(now - status.created),
        "never" if expires is None else moment(expires - now),
        "-" if ending is None else f"{ending.reason.value} {moment(ending.at - now)}",
    )


def moment(ahead: float) -> str:
    """When something is that lies *ahead* seconds in the future, or behind."""
    return f"in {length(ahead)}" if ahead >= 0 else f"{length(-ahead)} ago"


def length(seconds: float) -> str:
    """A length of time in its two largest units, such as 14m 59s; never negative."""
    whole = max(0, round(seconds))
    parts = []
    for unit, size in _UNITS:
        count, whole = divmod(whole, size)
        parts.append(f"{count}{unit}" if count else "")
    first = next((place for place, part in enumerate(parts) if part), len(parts) - 1)
    return " ".join(part for part in parts[first : first + 2] if part) or "0s"
