"""What callers are told of sandboxes they cannot have (pure)."""

from __future__ import annotations

from sandlot.contracts.errors import Conflict, NotFound
from sandlot.contracts.spec import SandboxSpec

from .agreement import difference
from .record import Record


def refuse_difference(asked: SandboxSpec, record: Record) -> None:
    """Raise Conflict when *asked* says something else; values may be secrets, so none is told."""
    what = difference(asked, record.spec)
    if what is not None:
        raise Conflict(
            f"sandbox {record.id!r} exists with another {what}: leave that out, delete the sandbox, "
            "or choose another name"
        )


def unknown(name: str, record: Record | None = None) -> NotFound:
    """The error for a name that is its owner's and in use by nobody; *record* is that of its last sandbox.

    Without a record it says the same of a name that exists for another owner.
    """
    if record is None or record.ending is None:
        return NotFound(f"there is no live sandbox {name!r}: create it first")
    reason = record.ending.reason.value.replace("_", " ")
    return NotFound(f"sandbox {name!r} has ended ({reason}): create it anew first")
