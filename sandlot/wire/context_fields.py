"""Fields of what a context says, read as hostile: everything raises LineError for what cannot be."""

from __future__ import annotations

from typing import Any, List, Mapping, Tuple

from .lines import LineError

LONGEST_TEXT = 2**20
LARGEST_COUNT = 2**53
MOST_TYPES = 64
"""Representations of one bundle."""

_LONGEST_TYPE = 128


def is_json_type(mime: str) -> bool:
    """Whether values of this MIME type are JSON (RFC 6839, 3.1), not text."""
    return mime == "application/json" or mime.endswith("+json")


def bundle(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A bundle, or what is told of its parts, which may be of any type."""
    found = mapping(value, name)
    if len(found) > MOST_TYPES:
        raise LineError(f"its {name} has {len(found)} types: {MOST_TYPES} at most")
    for mime, content in found.items():
        if not 0 < len(mime) <= _LONGEST_TYPE or not mime.isascii() or not mime.isprintable():
            raise LineError(f"its {name} has the type {mime!r:.60}")
        if name == "data" and not isinstance(content, str) and not is_json_type(mime):
            raise LineError(f"its {mime} is no text")
    return found


def mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object."""
    found = value.get(name)
    if not isinstance(found, dict):
        raise LineError(f"its {name} is no object")
    return found


def sequence(value: Mapping[str, Any], name: str, most: int) -> List[Any]:
    """A list of at most *most*."""
    found = value.get(name)
    if not isinstance(found, list) or len(found) > most:
        raise LineError(f"its {name} is no list of at most {most}")
    return found


def texts(value: Mapping[str, Any], name: str, most: int, longest: int = LONGEST_TEXT) -> Tuple[str, ...]:
    """A list of at most *most* texts."""
    found = sequence(value, name, most)
    if not all(isinstance(each, str) and len(each) <= longest for each in found):
        raise LineError(f"its {name} is no list of texts")
    return tuple(found)


def text(value: Mapping[str, Any], name: str, longest: int = LONGEST_TEXT) -> str:
    """A text of at most *longest* characters."""
    found = value.get(name)
    if not isinstance(found, str) or len(found) > longest:
        raise LineError(f"its {name} is no text of at most {longest} characters")
    return found


def flag(value: Mapping[str, Any], name: str) -> bool:
    """True or false."""
    found = value.get(name)
    if not isinstance(found, bool):
        raise LineError(f"its {name} is neither true nor false")
    return found


def count(value: Mapping[str, Any], name: str, most: int = LARGEST_COUNT) -> int:
    """A whole number from 0 to *most*."""
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= most:
        raise LineError(f"its {name} is no count up to {most}")
    return found
