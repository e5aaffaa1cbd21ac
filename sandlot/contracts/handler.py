"""Handler: a function of a program's text that is called with one JSON value and gives one back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping

from .errors import InvalidSpec

LARGEST_VALUE = 2 * 2**20
"""Bytes that an event, or what a handler returns, may have as compact JSON in ASCII."""

DEEPEST_VALUE = 64
"""Levels of lists and objects that either may have."""

LARGEST_CONTEXT = 8192
"""Bytes of what a context tells besides, as compact JSON: it travels in one frame with the command."""

LONGEST_INTEGER = 31
"""Digits of an integer in it: JSON has no bound, and reading a long one takes quadratic time."""

_LARGEST_CODE = 255
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


@dataclass(frozen=True)
class Handler:
    """Call the function *name* of the program with *event*, once the program's text has run.

    *event* is what JSON can say. The function takes it alone, or an object that tells of the call besides
    (`def handler(event, context)`); it may be asynchronous. `text` is the event as compact JSON. *context*
    are attributes of that object, by name, over those it has anyway; the time that remains is always the
    true one. A program whose text does not run to its end, or does not define the function, ends with exit
    code 1, as any program that fails; *raised* is the exit code when the function raises, *valueless* when
    JSON has no form for what it returned.
    """

    name: str = "handler"
    event: Any = None
    context: Mapping[str, Any] = field(default_factory=dict)
    raised: int = 1
    valueless: int = 1
    text: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse names nothing can have, and what JSON has no form for. Raises InvalidSpec."""
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise InvalidSpec(
                f"{self.name!r:.60} is not the name of a handler: use letters, digits and _ as in Python"
            )
        object.__setattr__(self, "text", json_text(self.event, "the event"))
        if self.context:
            self._check_context()
        for code in (self.raised, self.valueless):
            if not 1 <= code <= _LARGEST_CODE:
                raise InvalidSpec(f"a handler cannot fail with exit code {code}: use 1 to {_LARGEST_CODE}")

    def _check_context(self) -> None:
        size = len(json_text(dict(self.context), "the context"))
        if size > LARGEST_CONTEXT:
            raise InvalidSpec(
                f"the context is {size} bytes of JSON: {LARGEST_CONTEXT} at most; use the event"
            )
        for name in self.context:
            if not _NAME.fullmatch(name):
                raise InvalidSpec(f"{name!r:.60} is not the name of an attribute of the context")


def json_text(value: object, what: str) -> bytes:
    """*value* as compact JSON in ASCII. Raises InvalidSpec, which calls it *what*, for what cannot travel.

    Tuples become lists, as `json.dumps` has it.
    """
    import json

    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSpec(f"{what} has no JSON form: {error}") from None
    if len(text) > LARGEST_VALUE:
        raise InvalidSpec(
            f"{what} is {len(text)} bytes of JSON: {LARGEST_VALUE} at most; put more into a file"
        )
    _check(value, what)
    return text.encode("ascii")


def _check(value: object, what: str) -> None:
    """What `json.dumps` takes and strict readers do not. Level by level, so that depth costs no recursion."""
    level: List[object] = [[value]]
    for _ in range(DEEPEST_VALUE + 1):
        parts = [part for container in level for part in _parts(container, what)]
        for part in parts:
            if isinstance(part, str):
                _check_text(part, what)
            elif isinstance(part, int) and abs(part) >= 10**LONGEST_INTEGER:
                raise InvalidSpec(f"{what} has an integer of more than {LONGEST_INTEGER} digits: use text")
        level = [part for part in parts if isinstance(part, (dict, list, tuple))]
        if not level:
            return
    raise InvalidSpec(f"{what} is nested deeper than {DEEPEST_VALUE} levels: flatten it")


def _parts(container: Any, what: str) -> List[object]:
    return [*_names(container, what), *container.values()] if isinstance(container, dict) else container


def _names(container: Dict[Any, Any], what: str) -> List[str]:
    # A number as a name would become text, and might then be there twice.
    if not all(isinstance(name, str) for name in container):
        raise InvalidSpec(f"{what} has an object with names that are no text: JSON has no other")
    return list(container)


def _check_text(text: str, what: str) -> None:
    try:
        text.encode("utf-8", "surrogateescape")  # a file name may hold bytes that are none
    except UnicodeEncodeError:
        raise InvalidSpec(f"{what} has text that is not valid Unicode") from None
