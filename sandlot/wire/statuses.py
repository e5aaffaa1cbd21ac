"""SandboxStatus as JSON: a sandbox as its owner sees it over the network."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from sandlot.contracts import capability
from sandlot.contracts.capability import Feature
from sandlot.contracts.lease import Ending, EndReason, Lease, State
from sandlot.contracts.paths import identifier
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.service import SandboxStatus

from .fields import Fields
from .results import isolation_of, names_of
from .times import time_from, time_text


def status_to_json(status: SandboxStatus, pod_name: str) -> Dict[str, Any]:
    """*status* as its reader gets it; *pod_name* is what NoxRunner's readers know the sandbox by."""
    lease, ending = status.lease, status.ending
    return {
        "podName": pod_name,
        "expiresAt": None if lease.expires is None else time_text(lease.expires),
        "id": status.id,
        "state": status.state.value,
        "engine": status.engine,
        "isolation": status.isolation.name.lower(),
        "enforced": list(status.enforced),
        "features": list(feature_names(status.features)),
        "createdAt": time_text(status.created),
        "lastActiveAt": time_text(lease.active),
        "ttlSeconds": None if lease.ttl is None else float(lease.ttl),
        "durable": status.is_durable,
        "ending": None if ending is None else ending_to_json(ending),
    }


def status_from(value: object) -> SandboxStatus:
    """The status that *value* tells; fields it does not know are passed over. Raises InvalidSpec."""
    fields = Fields(value)
    return SandboxStatus(
        id=fields.read("id", lambda: identifier(fields.text("id"))),
        engine=fields.text("engine"),
        isolation=isolation_of(fields),
        enforced=names_of(fields, "enforced"),
        lease=Lease(_ttl(fields), _time(fields, "lastActiveAt")),
        state=_state(fields),
        features=features_of(names_of(fields, "features")),
        created=_time(fields, "createdAt"),
        is_durable=fields.flag("durable", default=False),
        ending=ending_from(fields.raw("ending")) if fields.has("ending") else None,
    )


def statuses_from(value: object) -> Tuple[Tuple[SandboxStatus, ...], Optional[str]]:
    """One page of a list: the sandboxes, and the cursor of the next page or None. Raises InvalidSpec."""
    fields = Fields(value)
    found = tuple(status_from(item) for item in fields.items("sandboxes"))
    return found, fields.text("next") if fields.has("next") else None


def ending_to_json(ending: Ending) -> Dict[str, Any]:
    """Why a box or a sandbox ended."""
    return {"reason": ending.reason.value, "at": time_text(ending.at), "detail": ending.detail}


def ending_from(value: object) -> Ending:
    """The ending that *value* tells. Raises InvalidSpec."""
    fields = Fields(value, "ending")
    text = fields.text("reason")
    try:
        reason = EndReason(text)
    except ValueError:
        raise fields.wrong("reason", "is unknown") from None
    return Ending(reason, _time(fields, "at"), fields.text("detail", ""))


def feature_names(features: Feature) -> Tuple[str, ...]:
    """The single features among *features*, by name in lower case."""
    return tuple([name.lower() for name in capability.names_of(features)])


def features_of(names: Tuple[str, ...]) -> Feature:
    """The features called *names*; one that is unknown here is passed over: it cannot be used either."""
    known: List[Feature] = [Feature[name.upper()] for name in names if name.upper() in Feature.__members__]
    found = Feature.NOTHING
    for each in known:
        found |= each
    return found


def _ttl(fields: Fields) -> Optional[Seconds]:
    return fields.amount("ttlSeconds", Seconds.parse, text=False) if fields.has("ttlSeconds") else None


def _time(fields: Fields, name: str) -> float:
    return fields.read(name, lambda: time_from(fields.text(name)))


def _state(fields: Fields) -> State:
    text = fields.text("state")
    try:
        return State(text)
    except ValueError:
        raise fields.wrong("state", "is unknown") from None
