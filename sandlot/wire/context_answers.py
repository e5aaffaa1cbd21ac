"""What a context answers to questions; everything raises LineError for what cannot be."""

from __future__ import annotations

from typing import Any, Mapping, Tuple

from sandlot.contracts.contexts import Completeness, Completions, HistoryEntry, Inspection, Judgement

from . import context_fields as fields
from .lines import LARGEST_LINE, LineError

_MOST_MATCHES = 1000
_MOST_ENTRIES = 10_000


def completions_from(value: Mapping[str, Any], code: str) -> Completions:
    """The answer to `complete` about *code*."""
    start, end = (
        fields.count(value, "start", len(code)),
        fields.count(value, "end", len(code)),
    )
    if start > end:
        raise LineError(f"it completes the characters from {start} to {end}")
    return Completions(
        fields.texts(value, "matches", _MOST_MATCHES),
        start,
        end,
        fields.mapping(value, "metadata"),
    )


def inspection_from(value: Mapping[str, Any]) -> Inspection:
    """The answer to `inspect`."""
    return Inspection(
        fields.flag(value, "found"),
        fields.bundle(value, "data"),
        fields.mapping(value, "metadata"),
    )


def judgement_from(value: Mapping[str, Any]) -> Judgement:
    """The answer to `is_complete`."""
    try:
        status = Completeness(value.get("status"))
    except ValueError:
        raise LineError(f"it told the unknown status {value.get('status')!r:.60}") from None
    return Judgement(status, fields.text(value, "indent"))


def history_from(value: Mapping[str, Any]) -> Tuple[HistoryEntry, ...]:
    """The answer to `history`."""
    entries = fields.sequence(value, "entries", _MOST_ENTRIES)
    return tuple(_entry(each) for each in entries)


def _entry(value: Any) -> HistoryEntry:
    pair = {"count": value[0], "code": value[1]} if isinstance(value, list) and len(value) == 2 else {}
    return HistoryEntry(fields.count(pair, "count"), fields.text(pair, "code", LARGEST_LINE))
