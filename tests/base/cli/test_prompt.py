from __future__ import annotations

from typing import Iterator, List

import pytest

from sandlot.cli.prompt import candidates, parted
from sandlot.contracts.contexts import Completions


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("", []),
        ("\n \n# %%\n", []),
        ("1\n2", ["1\n2"]),
        ("1\n# %% second\n2\n#%%\n\n  # %%\n3\n", ["1\n", "2\n", "3\n"]),
        ("x = '# %%'\n", ["x = '# %%'\n"]),
    ],
)
def test_lines_are_parted_into_cells(text: str, cells: List[str]) -> None:
    assert list(parted(text.splitlines(keepends=True))) == cells


def test_a_cell_is_told_as_soon_as_it_is_whole() -> None:
    taken: List[str] = []

    def lines() -> Iterator[str]:
        taken.append("first")
        yield "1\n"
        yield "# %%\n"
        taken.append("second")
        yield "2\n"

    told = parted(lines())
    assert (next(told), taken) == ("1\n", ["first"])


@pytest.mark.parametrize(
    ("code", "begin", "matches", "start", "words"),
    [
        ("impo", 0, ("import",), 0, ["import"]),
        ("os.getc", 3, ("getcwd", "getcwdb"), 3, ["getcwd", "getcwdb"]),
        ("os.getc", 3, ("os.getcwd",), 0, ["getcwd"]),
        ("os.getc", 0, ("getcwd",), 3, ["os.getcwd"]),
        ("a.b", 2, ("x.b",), 0, []),
    ],
)
def test_what_could_stand_there_fits_the_word_that_is_edited(
    code: str, begin: int, matches: tuple[str, ...], start: int, words: List[str]
) -> None:
    assert candidates(code, begin, Completions(matches, start, len(code))) == words
