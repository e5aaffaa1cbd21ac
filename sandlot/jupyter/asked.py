"""What requests ask for, read from contents that strangers wrote. Everything raises InvalidSpec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandlot.contracts.cells import LARGEST_CELL, Cell, sound_text
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.quantity import Bytes

_LARGEST_COUNT = 2**53


@dataclass(frozen=True, slots=True)
class Question:
    """A place in code, in Unicode code points, and how much is wanted to be known of it."""

    code: str
    cursor: int
    detail: int = 0


def cell_from(content: Mapping[str, Any], output_limit: Bytes) -> Cell:
    """The cell of an execute_request. It has no timeout: who sent it may interrupt it."""
    silent = flag(content, "silent", default=False)
    return Cell(
        text(content, "code"),
        None,
        store_history=flag(content, "store_history", default=True) and not silent,
        silent=silent,
        allow_input=flag(content, "allow_stdin", default=True),
        output_limit=output_limit,
        expressions=_expressions(content),
    )


def _expressions(content: Mapping[str, Any]) -> Mapping[str, str]:
    found = content.get("user_expressions") or {}
    if not isinstance(found, dict):
        raise InvalidSpec(f"user_expressions must be an object, not {type(found).__name__}")
    return found


def stops_on_error(content: Mapping[str, Any]) -> bool:
    """Whether cells that wait are to be given up when this one fails."""
    return flag(content, "stop_on_error", default=True)


def question_from(content: Mapping[str, Any]) -> Question:
    """The place of a complete_request or inspect_request; no cursor is the end, one beyond it too."""
    code = code_from(content)
    cursor = len(code) if content.get("cursor_pos") is None else count(content, "cursor_pos", 0)
    return Question(code, min(cursor, len(code)), min(count(content, "detail_level", 0), 1))


def code_from(content: Mapping[str, Any]) -> str:
    """The code of any request."""
    return sound_text(text(content, "code"), LARGEST_CELL, "the code")


def text(content: Mapping[str, Any], name: str, otherwise: str | None = None) -> str:
    """A field that is text."""
    found = content.get(name, otherwise)
    if not isinstance(found, str):
        raise InvalidSpec(f"{name} must be text, not {type(found).__name__}")
    return found


def flag(content: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """A field that is true or false; null is *default*."""
    found = default if content.get(name) is None else content[name]
    if not isinstance(found, bool):
        raise InvalidSpec(f"{name} must be true or false, not {type(found).__name__}")
    return found


def count(content: Mapping[str, Any], name: str, default: int) -> int:
    """A field that counts; null is *default*."""
    found = default if content.get(name) is None else content[name]
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= _LARGEST_COUNT:
        raise InvalidSpec(f"{name} must be a whole number from 0 on, not {found!r:.40}")
    return found
