"""HTTP messages as values (RFC 9110), and targets written by rule (RFC 3986)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Mapping, Tuple

# RFC 3986, 2.3: what never needs an escape.
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True)
class Request:
    """What is asked: a method, a target (path and query, escaped already), headers, and a short body.

    A body that comes in pieces is given to the transport besides; `body` is empty then.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Head:
    """What an answer begins with: the status, and the headers with their names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty when none was told."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def escaped(text: str) -> str:
    """*text* as one path segment or one query value (RFC 3986, 2.1).

    File names that are not UTF-8 (PEP 383) return to their own bytes.
    """
    raw = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in raw)


def target(segments: Iterable[str], query: Iterable[Tuple[str, str]] = ()) -> str:
    """The target of a path of *segments* and a *query* of names and values, in this order."""
    path = "".join("/" + escaped(segment) for segment in segments)
    asked = "&".join(f"{escaped(name)}={escaped(value)}" for name, value in query)
    return f"{path}?{asked}" if asked else path
