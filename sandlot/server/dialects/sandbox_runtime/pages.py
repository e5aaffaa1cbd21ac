"""Pages of a file: text that never ends within a character, or base64 (pure)."""

from __future__ import annotations

import base64
import codecs
from pathlib import PurePosixPath
from typing import NamedTuple

LONGEST_CHARACTER = 4
"""Bytes of the longest character of any encoding that is tried."""

_TEXT = frozenset(
    (
        *(".txt", ".py", ".js", ".html", ".css", ".json", ".xml", ".csv", ".md"),
        *(".sh", ".bash", ".zsh", ".fish", ".c", ".cpp", ".h", ".java", ".php", ".rb", ".go"),
        *(".rs", ".swift", ".kt", ".scala", ".sql", ".yaml", ".yml", ".toml"),
        *(".ini", ".cfg", ".conf", ".log"),
    )
)
# The last one takes any bytes, a byte a character.
_ENCODINGS = ("utf-8", "gbk", "iso-8859-1")


class Page(NamedTuple):
    """A part of a file as its reader gets it, and of how many bytes it was made."""

    content: str
    is_binary: bool
    length: int


def is_text(path: PurePosixPath) -> bool:
    """Whether a file of that name is told as text."""
    return path.suffix.lower() in _TEXT


def binary_page(data: bytes) -> Page:
    """All of *data*, as base64."""
    return Page(base64.b64encode(data).decode("ascii"), is_binary=True, length=len(data))


def text_page(data: bytes, most: int, *, is_last: bool) -> Page:
    """As much of *data* as *most* bytes hold in whole characters; one character at least.

    *data* has up to LONGEST_CHARACTER bytes more than *most*, from which a first character that is longer
    than a page is completed. *is_last* says that the file ends with *data*.
    """
    for encoding in _ENCODINGS:
        page = _decoded(encoding, data, most, is_last=is_last)
        if page is not None:
            return page
    raise AssertionError("iso-8859-1 has a character for every byte")


def _decoded(encoding: str, data: bytes, most: int, *, is_last: bool) -> Page | None:
    """The page in *encoding*; None when *data* is not written in it."""
    for end in range(min(most, len(data)), len(data) + 1):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            text = decoder.decode(data[:end], final=is_last and end == len(data))
        except UnicodeDecodeError:
            return None
        rest = decoder.getstate()[0]
        if len(rest) < end:
            return Page(text, is_binary=False, length=end - len(rest))
    return None
