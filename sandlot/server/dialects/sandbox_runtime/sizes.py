"""Sizes of sessions: what mount(8) understands as the size of a tmpfs (pure)."""

from __future__ import annotations

import re

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.quantity import Bytes

USUAL = ("100M", "50M")
"""What the server and its clients say where nobody chose a size. As everybody always sends one, these are a
wish: they hold where a size can be enforced, and are dropped where not."""

_SIZE = re.compile(r"([1-9][0-9]{0,14})([kKmMgG]?)(?:i?[bB])?")
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def size_from(text: str) -> Bytes:
    """*text* such as 100M, of units of 2**20 bytes (tmpfs(5)). Raises InvalidSpec."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InvalidSpec(f"size {text[:40]!r} is not a size such as 100M or 1G")
    return Bytes.parse(int(found[1]) * _UNITS[found[2].lower()])
