"""The cells a history_request asks for: the last, a range, or those that fit a pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from sandlot.contracts.contexts import HistoryEntry
from sandlot.contracts.errors import InvalidSpec

from . import asked

SESSION: Final = 1
"""The number of the one session that a kernel has; 0 means the same, as does what counts back to now."""

MOST: Final = 1000
"""Cells that are asked of a context: it tells no more."""

_LONGEST_PATTERN = 1024
_Entries = Sequence[HistoryEntry]


def history_reply(entries: _Entries, content: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to the request *content*, of a context that kept *entries*, oldest first. Raises InvalidSpec.

    Without `raw` cells are told as they were typed too. With `output` each comes with a null: outputs
    are not kept.
    """
    kind = asked.text(content, "hist_access_type", "tail")
    wanted = _KINDS.get(kind)
    if wanted is None:
        raise InvalidSpec(f"hist_access_type {kind!r:.40} is unknown: use range, tail or search")
    has_output = asked.flag(content, "output", default=False)
    told = [_row(entry, has_output=has_output) for entry in wanted(entries, content)]
    return {"status": "ok", "history": told}


def _row(entry: HistoryEntry, *, has_output: bool) -> list[Any]:
    return [SESSION, entry.execution_count, [entry.code, None] if has_output else entry.code]


def _tail(entries: _Entries, content: Mapping[str, Any]) -> _Entries:
    most = asked.count(content, "n", MOST)
    return entries[-most:] if most else ()


def _range(entries: _Entries, content: Mapping[str, Any]) -> _Entries:
    session = content.get("session")
    if session not in (None, 0, SESSION):
        return ()
    first = asked.count(content, "start", 1)
    stop = asked.count(content, "stop", 2**53)
    return [entry for entry in entries if first <= entry.execution_count < stop]


def _search(entries: _Entries, content: Mapping[str, Any]) -> _Entries:
    pattern = asked.text(content, "pattern", "*")
    if len(pattern) > _LONGEST_PATTERN or pattern.count("*") > _MOST_STARS:
        raise InvalidSpec(f"a pattern has {_LONGEST_PATTERN} characters and {_MOST_STARS} stars at most")
    found = [entry for entry in entries if fnmatchcase(entry.code, pattern)]
    if asked.flag(content, "unique", default=False):
        # Each as it was last run.
        found = sorted({entry.code: entry for entry in found}.values(), key=lambda each: each.execution_count)
    return _tail(found, content)


_MOST_STARS = 8  # each may multiply the time that matching takes
_KINDS: Mapping[str, Callable[[_Entries, Mapping[str, Any]], _Entries]] = {
    "tail": _tail,
    "range": _range,
    "search": _search,
}
