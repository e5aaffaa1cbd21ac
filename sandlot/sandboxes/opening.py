"""What a new service makes of the records of the one before it (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sandlot.contracts.lease import Ending, EndReason, State

from .record import Record


@dataclass(frozen=True, slots=True)
class Inheritance:
    """`living` can be used again; `ended` are told about; `changed` are those of both to be saved anew.

    `strays` are the workspaces that belong to nobody.
    """

    living: tuple[Record, ...]
    ended: tuple[Record, ...]
    changed: tuple[Record, ...]
    strays: tuple[str, ...]


def inherit(records: Iterable[Record], workspaces: Collection[str] | None, now: float) -> Inheritance:
    """What *records* amount to at *now*, when these *workspaces* are there (None: nobody knows)."""
    known = tuple(records)
    found = [(old, _revised(old, workspaces, now)) for old in known]
    living = tuple(new for _, new in found if not new.has_ended)
    ended = sorted((new for _, new in found if new.has_ended), key=_ended_at)
    kept = {record.key for record in living}
    return Inheritance(
        living=living,
        ended=tuple(ended),
        changed=tuple(new for old, new in found if new != old),
        strays=tuple(name for name in workspaces or () if name not in kept),
    )


def _revised(record: Record, workspaces: Collection[str] | None, now: float) -> Record:
    if record.has_ended:
        return record
    if record.lease.is_due(now):
        return record.ended(Ending(EndReason.EXPIRED, record.lease.expires or now))
    if record.is_durable and workspaces is not None and record.key not in workspaces:
        return record.ended(Ending(EndReason.HOST_RESTART, now, "its workspace is gone"))
    if record.state is State.STOPPED and record.is_durable:
        return record
    ending = Ending(EndReason.HOST_RESTART, now)
    return record.stopped(ending) if record.is_durable else record.ended(ending)


def _ended_at(record: Record) -> float:
    return record.ending.at if record.ending is not None else 0.0
