from __future__ import annotations

import pytest

from sandlot.bench import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (3.0, "3"),
        (0.01234, "0.012"),
        (0.1234, "0.12"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12345.6, "12346"),
        (-0.5, "-0.50"),
    ],
)
def test_numbers_have_about_three_digits(value: float | None, text: str) -> None:
    assert words.number(value) == text
