"""Configuration files: their values, and the line on which each is set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence, Tuple

from sandlot.contracts.errors import InvalidSpec

_LARGEST = 2**20


def read(path: Path) -> Tuple[Mapping[str, Any], str]:
    """The values of the TOML file *path*, and its text. Raises InvalidSpec for one that cannot be read."""
    try:
        import tomllib
    except ImportError:
        raise InvalidSpec(f"{path} needs Python 3.11 to be read: use SANDLOT_* variables instead") from None
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise ValueError(f"it is larger than {_LARGEST} bytes")
        text = raw.decode()
        return tomllib.loads(text), text
    except (OSError, ValueError) as cause:
        raise InvalidSpec(f"{path} cannot be read as configuration: {cause}") from cause


def line_of(name: str, text: str) -> Optional[int]:
    """On which line of the TOML *text*, counted from 1, its key or table *name* begins (pure).

    None where that is written in a way nobody writes it.
    """
    lines = text.split("\n")
    key = re.escape(name)
    begins = re.compile(
        rf"""\s*(?:(?:{key}|"{key}"|'{key}')\s*[=.]|\[\s*(?:{key}|"{key}"|'{key}')\s*[\].])"""
    )
    candidates = [number for number, line in enumerate(lines) if begins.match(line)]
    return next((number + 1 for number in candidates if _stands_alone(lines[:number])), None)


def _stands_alone(before: Sequence[str]) -> bool:
    """Whether a line that follows those *before* begins something: it is within no string and no list."""
    import tomllib

    try:
        tomllib.loads("\n".join(before))
    except ValueError:
        return False
    return True
