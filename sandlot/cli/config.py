"""`sandlot config`: every setting with its value and origin."""

from __future__ import annotations

from typing import Any, Sequence

from sandlot import settings
from sandlot.contracts.quantity import Bytes
from sandlot.contracts.spec import DEFAULT_LIMITS

from . import arguments, parsing, render


def main(words: Sequence[str]) -> int:
    """Print the settings; 0."""
    options = arguments.config().parse_args(words)
    parsing.configure(options)
    shown = settings.load().to_json()
    if options.json:
        render.document(shown)
    else:
        rows = [(name, worded(name, entry["value"]), entry["origin"]) for name, entry in shown.items()]
        render.table([("SETTING", "VALUE", "ORIGIN"), *rows])
    return 0


def worded(name: str, value: Any) -> str:
    """The *value* of the setting *name* as people are shown it."""
    if value is not None:
        return str(Bytes(value)) if name in ("memory", "disk", "output") else str(value)
    default = getattr(DEFAULT_LIMITS, name, None)
    return "-" if default is None else f"{default} where it can be enforced"
