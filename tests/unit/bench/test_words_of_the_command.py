from __future__ import annotations

import pytest

from sandlot.bench import catalogue
from sandlot.cli import arguments_bench, bench
from sandlot.contracts.errors import InvalidSpec


@pytest.mark.parametrize(
    ("words", "names", "cycles"),
    [
        ([], [], None),
        (["exec", "tti"], ["exec", "tti"], None),
        (["cycles"], ["cycles"], None),
        (["soak", "cycles", "10000", "exec"], ["soak", "cycles", "exec"], 10000),
    ],
)
def test_the_number_after_cycles_says_how_many(
    words: list[str], names: list[str], cycles: int | None
) -> None:
    assert bench.named_and_counted(words) == (names, cycles)


@pytest.mark.parametrize(
    "words", [["7"], ["exec", "7"], ["cycles", "0"], ["cycles", "1", "2"], ["cycles", "9" * 9]]
)
def test_a_number_anywhere_else_is_refused(words: list[str]) -> None:
    with pytest.raises(InvalidSpec, match="stands where no count may"):
        bench.named_and_counted(words)


def test_the_help_names_every_benchmark_in_its_order() -> None:
    text = arguments_bench.bench().description or ""
    unnamed = ", ".join(each.name for each in catalogue.BENCHMARKS)
    assert f"Without a name: {unnamed};" in text
    assert f"Only by name: {', '.join(each.name for each in catalogue.BY_NAME_ONLY)} (" in text
