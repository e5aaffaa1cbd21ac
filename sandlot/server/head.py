"""The headers of one request, each found by its name."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Scope


class Head:
    """Headers by name, in lower case. Whoever reads one says what several of that name mean."""

    def __init__(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Of the pairs of an ASGI scope."""
        self._headers = headers
        self._last = dict(headers)
        self._has_repeated = len(self._last) != len(headers)

    @property
    def size(self) -> int:
        """Bytes of the lines they came in."""
        return sum([len(name) + len(value) + 4 for name, value in self._headers])

    def every(self, name: bytes) -> list[bytes]:
        """The values of all headers called *name*, in their order."""
        if name not in self._last:
            return []
        if not self._has_repeated:
            return [self._last[name]]
        return [value for key, value in self._headers if key == name]

    def last(self, name: bytes) -> bytes | None:
        """The value of the last header called *name*."""
        return self._last.get(name)

    def only(self, name: bytes) -> bytes | None:
        """The value of a header when it comes exactly once; None otherwise."""
        found = self.every(name)
        return found[0] if len(found) == 1 else None

    def once(self, name: bytes) -> str | None:
        """The text of a header that may come once: empty, which nothing we know is, when it comes oftener."""
        found = self.every(name)
        if not found:
            return None
        return found[0].decode("latin-1") if len(found) == 1 else ""

    @property
    def announced(self) -> int | None:
        """The size of the body as the request says itself; None for one that comes in chunks."""
        if b"transfer-encoding" in self._last:
            return None
        length = self._last.get(b"content-length", b"0")
        # The parser has refused what is no number; a very long one is too large for every purpose.
        return int(length[:18]) if length.isdigit() else 0


def head_of(scope: Scope) -> Head:
    """The headers of the request of *scope*, read once."""
    state = scope.setdefault("state", {})
    found: Head | None = state.get("head")
    if found is None:
        found = state["head"] = Head(scope["headers"])
    return found
