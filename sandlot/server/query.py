"""The query of a request, read strictly: a parameter that is understood is right or refused.

Parameters that a route does not know are ignored, as RFC 3986 has it and old clients need it.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import parse_qsl

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import sandbox_path

_MOST_PARAMETERS = 1000
_COUNT = re.compile(r"[0-9]{1,15}")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?")
_FLAGS = {"true": True, "false": False}


class Query:
    """The parameters of one query. Every method raises InvalidSpec that names the parameter."""

    def __init__(self, query: bytes) -> None:
        """Read an escaped query string."""
        self._values: dict[str, list[str]] = {}
        try:
            # A byte that is no UTF-8 stays visible as a surrogate, so that it is refused and not replaced.
            pairs = parse_qsl(
                query.decode("ascii"),
                keep_blank_values=True,
                errors="surrogateescape",
                max_num_fields=_MOST_PARAMETERS,
            )
        except ValueError as error:
            raise InvalidSpec(f"the query cannot be read: {error}") from None
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A parameter that may be repeated."""
        return tuple(self._values.get(name, ()))

    def text(self, name: str) -> str | None:
        """A parameter that comes once; None when it does not come."""
        values = self.texts(name)
        if len(values) > 1:
            raise InvalidSpec(f"parameter {name} is given {len(values)} times: give it once")
        return values[0] if values else None

    def path(self, name: str, default: str | None = None) -> PurePosixPath:
        """A path inside the sandbox. Raises PathEscape besides."""
        value = self.text(name)
        if value is None:
            value = default
        if value is None:
            raise InvalidSpec(f"parameter {name} is missing: give a path such as /workspace")
        return sandbox_path(value)

    def flag(self, name: str) -> bool:
        """True or false; false when it does not come."""
        value = self.text(name)
        if value is not None and value not in _FLAGS:
            raise InvalidSpec(f"parameter {name}={value[:40]!r} is neither true nor false")
        return _FLAGS[value] if value is not None else False

    def count(self, name: str, default: int, *, least: int = 0, most: int = 2**49) -> int:
        """A whole number."""
        value = self.text(name)
        if value is None:
            return default
        if not _COUNT.fullmatch(value) or not least <= int(value) <= most:
            raise InvalidSpec(f"parameter {name}={value[:40]!r} is not a whole number of {least} to {most}")
        return int(value)

    def mode(self, name: str, default: int) -> int:
        """Permission bits as octal digits (chmod(1)), set-id and sticky bits excepted."""
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch("0?[0-7]{3}", value):
            raise InvalidSpec(f"parameter {name}={value[:40]!r} is no file mode: use three octal digits")
        return int(value, 8)

    def seconds(self, name: str, *, most: float) -> float | None:
        """A length of time of 0 or more; None when it does not come."""
        value = self.text(name)
        if value is None:
            return None
        length = float(value) if _NUMBER.fullmatch(value) else -1.0
        if not 0 <= length <= most:
            raise InvalidSpec(
                f"parameter {name}={value[:40]!r} is not a number of seconds from 0 to {most:g}"
            )
        return length
