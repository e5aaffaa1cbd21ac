"""JSON values as YAML in block style (YAML 1.2, and what readers of 1.1 take for the same)."""

from __future__ import annotations

import json
import re
from typing import Any, Iterator

_STEP = "  "
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Words that YAML 1.1 reads as something else than text (https://yaml.org/type/).
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
# What YAML 1.2, 5.1, does not call printable, or 1.1 takes for the end of a line. JSON has escaped the rest.
_HIDDEN = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def rendered(value: Any) -> str:
    """*value* as a YAML document, with a newline at its end; names keep their order."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _under(f"{_text(str(name))}:", part)
    elif isinstance(value, (list, tuple)) and value:
        for part in value:
            yield from _item(part)
    else:
        yield _scalar(value)


def _under(head: str, part: Any) -> Iterator[str]:
    if not _is_nested(part):
        yield f"{head} {_scalar(part)}"
        return
    yield head
    for line in _lines(part):
        yield _STEP + line


def _item(part: Any) -> Iterator[str]:
    first, *rest = _lines(part)
    yield f"- {first}"
    for line in rest:
        yield _STEP + line


def _is_nested(value: Any) -> bool:
    return isinstance(value, (dict, list, tuple)) and bool(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        # YAML 1.1 wants a point in a number with an exponent.
        digits, mark, exponent = json.dumps(value).partition("e")
        return digits + (".0" if mark and "." not in digits else "") + mark + exponent
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _text(text: str) -> str:
    """*text* as it is where nothing can misread it, else in double quotes, which YAML has from JSON."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
