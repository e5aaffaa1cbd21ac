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


def test_counters_and_repeated_identities_are_told() -> None:
    figures = {"mountsBefore": 4.0, "mountsAfter": 5.0, "mountsLeaked": 1.0, "bootRepeated": 9.0}
    assert words.told_figures({"figures": figures}) == [
        "mounts 4 before, 5 after",
        "boot told by several: 9",
    ]


def test_a_guide_stands_in_brackets() -> None:
    entry = {"goal": "p50 <= 4", "met": False, "guide": True}
    assert words.goal(entry) == "(p50 <= 4: not met)"
    assert words.goal({**entry, "guide": False, "met": None}) == "p50 <= 4: not judged"
