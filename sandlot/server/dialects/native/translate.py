"""What the native wire says and `wire.values` does not know: pages, ranges, names, media types (pure)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sandlot.contracts.engine import Box
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.lease import State
from sandlot.contracts.service import SandboxStatus
from sandlot.wire import values
from sandlot.wire.events import NDJSON, SSE

JSON = "application/json"

_QUALITY = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def pod_name(owner: str, status: SandboxStatus) -> str:
    """What NoxRunner's readers know a sandbox by: the same as long as it lasts, another for its successor."""
    told = "\0".join((owner, status.id, repr(status.created)))
    return f"sbx-{hashlib.sha256(told.encode()).hexdigest()[:10]}"


def sandbox_to_json(owner: str, status: SandboxStatus) -> dict[str, Any]:
    """One sandbox."""
    return values.status_to_json(status, pod_name(owner, status))


class Page(NamedTuple):
    """Which of the sandboxes are asked for: those in *states* whose id comes after *after*."""

    limit: int
    after: str
    states: frozenset[State]


def states_from(text: str | None) -> frozenset[State]:
    """The states named in a list with commas; those of what has not ended for None. Raises InvalidSpec."""
    if text is None:
        return frozenset(State) - {State.ENDED}
    try:
        return frozenset(State(name) for name in text.split(","))
    except ValueError:
        known = ",".join(state.value for state in State)
        raise InvalidSpec(
            f"parameter state={text[:80]!r} is no list of states: use some of {known}"
        ) from None


def page_to_json(owner: str, found: Iterable[SandboxStatus], page: Page) -> dict[str, Any]:
    """One page of the sandboxes of *owner*. The cursor is the last id that was told."""
    rest = sorted(
        (status for status in found if status.state in page.states and status.id > page.after),
        key=lambda status: status.id,
    )
    told = rest[: page.limit]
    return {
        "sandboxes": [sandbox_to_json(owner, status) for status in told],
        "next": told[-1].id if len(rest) > len(told) else None,
    }


def facts_of(box: Box) -> dict[str, Any]:
    """What the end of a stream tells of the box, as a result does."""
    return {
        "engine": box.engine,
        "isolation": box.isolation.name.lower(),
        "enforced": list(box.enforced),
        "failover": list(box.failover),
    }


def wanted_media(accept: str | None, offered: Sequence[str] = (JSON, NDJSON, SSE)) -> str:
    """The media type of *offered* that an Accept header (RFC 9110, 12.5.1) likes best; the first for none."""
    best, liking = offered[0], 0.0
    for part in (accept or "").split(","):
        name, _, parameters = part.partition(";")
        quality = _QUALITY.search(parameters)
        weight = float(quality[1]) if quality else 1.0
        for media in offered:
            if weight > liking and name.strip().lower() in (media, f"{media.partition('/')[0]}/*", "*/*"):
                best, liking = media, weight
                break
    return best
