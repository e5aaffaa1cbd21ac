"""The way out of a terminal in a sandbox: three times Ctrl-] within a second, however they arrive."""

from __future__ import annotations

from typing import List, Tuple

import pytest

from sandlot.cli.keyboard import WayOut


@pytest.mark.parametrize(
    ("typed", "leaves"),
    [
        ([(0.0, b"\x1d\x1d\x1d")], True),
        ([(0.0, b"\x1d"), (0.3, b"\x1d"), (0.9, b"\x1d")], True),
        ([(0.0, b"ls\n\x1d"), (0.1, b"\x1d\x1drest")], True),
        ([(0.0, b"\x1d\x1d")], False),
        ([(0.0, b"\x1d\x1d"), (0.1, b"x\x1d")], False),
        ([(0.0, b"\x1d"), (0.6, b"\x1d"), (1.2, b"\x1d")], False),
        ([(0.0, b"\x1d"), (1.2, b"\x1d\x1d"), (1.3, b"\x1d")], True),
        ([(0.0, b""), (0.1, b"\x03\x04")], False),
    ],
)
def test_only_three_in_a_row_leave(typed: List[Tuple[float, bytes]], leaves: bool) -> None:
    way = WayOut()
    for now, data in typed:
        way = way.after(data, now)
    assert way.is_taken is leaves
