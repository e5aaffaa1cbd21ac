"""Records as JSON text, for registries that write them down (pure)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sandlot.contracts.capability import Feature, names_of
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.lease import Ending, EndReason, Lease, State
from sandlot.contracts.paths import identifier
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import Isolation, WorkspaceKind
from sandlot.wire.fields import Fields, body_of, object_from
from sandlot.wire.specs import spec_from, spec_to_json

from .record import Record

Value = TypeVar("Value")


def text_of(record: Record) -> str:
    """*record* as JSON. Raises Unsupported for mounts: they are the host's and end with their caller."""
    told = {
        "owner": record.owner,
        "id": record.id,
        "key": record.key,
        "spec": spec_to_json(record.spec),
        "ttl": record.lease.ttl,
        "active": record.lease.active,
        "created": record.created,
        "kind": record.kind.value,
        "state": record.state.value,
        "ending": _ending_to_json(record.ending),
        "engine": record.engine,
        "isolation": record.isolation.name.lower(),
        "enforced": list(record.enforced),
        "features": list(names_of(record.features)),
    }
    return body_of(told).decode("ascii")


def record_of(text: str) -> Record:
    """The record that *text* is; raises InvalidSpec for anything `text_of` would not have written."""
    fields = Fields(object_from(text.encode()))
    record = Record(
        owner=fields.text("owner"),
        id=identifier(fields.text("id"), "sandbox"),
        key=identifier(fields.text("key"), "key"),
        spec=spec_from(fields.raw("spec")),
        lease=Lease(_ttl(fields), fields.number("active")),
        created=fields.number("created"),
        kind=_named(fields, "kind", WorkspaceKind),
        state=_named(fields, "state", State),
        ending=_ending(fields.inner("ending")) if fields.has("ending") else None,
        engine=fields.text("engine"),
        isolation=Isolation.parse(fields.text("isolation")),
        enforced=fields.texts("enforced"),
        features=_features(fields),
    )
    fields.end()
    return record


def _ttl(fields: Fields) -> Seconds | None:
    return fields.amount("ttl", Seconds.parse, text=False) if fields.has("ttl") else None


def _ending_to_json(ending: Ending | None) -> dict[str, Any] | None:
    if ending is None:
        return None
    return {"reason": ending.reason.value, "at": ending.at, "detail": ending.detail}


def _ending(fields: Fields) -> Ending:
    ending = Ending(_named(fields, "reason", EndReason), fields.number("at"), fields.text("detail"))
    fields.end()
    return ending


def _features(fields: Fields) -> Feature:
    found = Feature.NOTHING
    for name in fields.texts("features"):
        if name not in Feature.__members__:
            raise fields.wrong("features", f"has the unknown feature {name}")
        found |= Feature[name]
    return found


def _named(fields: Fields, name: str, kind: Callable[[str], Value]) -> Value:
    """The member of the enumeration *kind* that the field is the value of."""
    try:
        return kind(fields.text(name))
    except ValueError:
        raise InvalidSpec(f"field {name} is none of those known") from None
