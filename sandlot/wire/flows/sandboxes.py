"""Sandboxes: ensured, looked at, kept alive, ended, listed."""

from __future__ import annotations

from typing import List, Optional, Tuple

from sandlot.contracts.lease import State
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import SandboxSpec
from sandlot.wire.http import target
from sandlot.wire.specs import spec_to_json
from sandlot.wire.statuses import status_from, statuses_from

from .exchange import WORKING, Ask, Flow, accepted, asking, sandbox_target, value_of


def ensure(sandbox: str, spec: SandboxSpec) -> Flow[SandboxStatus]:
    """Create *sandbox*, or claim the one that exists."""
    request = asking("PUT", sandbox_target(sandbox), spec_to_json(spec))
    return _status(Ask(request, patience=WORKING))


def status(sandbox: str) -> Flow[SandboxStatus]:
    """What is known of *sandbox*."""
    return _status(Ask(asking("GET", sandbox_target(sandbox))))


def touch(sandbox: str) -> Flow[SandboxStatus]:
    """Renew its lease."""
    return _status(Ask(asking("POST", sandbox_target(sandbox, "touch"))))


def delete(sandbox: str) -> Flow[None]:
    """End it."""
    accepted((yield Ask(asking("DELETE", sandbox_target(sandbox)), patience=WORKING)), 204)


def listing(*, ended: bool = False) -> Flow[Tuple[SandboxStatus, ...]]:
    """Every sandbox that has not ended, page by page; with *ended* also those that have."""
    states = [state.value for state in State if ended or state is not State.ENDED]
    found: List[SandboxStatus] = []
    cursor: Optional[str] = None
    while True:
        query = [("limit", "1000"), ("state", ",".join(states))]
        query += [("cursor", cursor)] if cursor else []
        answer = accepted((yield Ask(asking("GET", target(("v1", "sandboxes"), query)))), 200)
        page, cursor = value_of(answer, statuses_from)
        found += page
        # An empty page that names another one would be followed for ever.
        if not cursor or not page:
            return tuple(sorted(found, key=lambda each: each.id))


def _status(ask: Ask) -> Flow[SandboxStatus]:
    return value_of(accepted((yield ask), 200), status_from)
