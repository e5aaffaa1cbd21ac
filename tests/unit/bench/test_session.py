from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sandlot.bench import catalogue
from sandlot.bench.benchmark import Benchmark, NotBuilt, Series, Stage, Wrong
from sandlot.bench.session import Effort
from sandlot.contracts.errors import InvalidSpec, SandlotError, Unsupported
from tests.unit.bench.samples import benchmark, measured, series


def test_rounds_are_interleaved_after_a_warm_up(tmp_path: Path) -> None:
    taken: list[tuple[str, int]] = []
    pair = benchmark(series("a", taken, 1.0), series("b", taken, 2.0))
    (found,) = measured([pair], Effort(rounds=3), tmp_path)
    assert taken == [(name, 2) for name in "ab" + "ab" + "ba" + "ab"]
    assert [len(rounds) for rounds in found.series.values()] == [3, 3]


def test_the_count_asked_for_replaces_the_benchmarks_own(tmp_path: Path) -> None:
    taken: list[tuple[str, int]] = []
    (found,) = measured([benchmark(series("a", taken, 1.0))], Effort(rounds=1, count=7), tmp_path)
    assert (taken, found.count) == ([("a", 3), ("a", 7)], 7)


def test_a_quick_effort_takes_the_quick_count(tmp_path: Path) -> None:
    taken: list[tuple[str, int]] = []
    (found,) = measured([benchmark(series("a", taken, 1.0))], Effort(rounds=1, is_quick=True), tmp_path)
    assert (taken, found.count) == ([("a", 1), ("a", 3)], 3)


@pytest.mark.linux
def test_baselines_stand_beside_the_series(tmp_path: Path) -> None:
    taken: list[tuple[str, int]] = []
    pair = benchmark(series("a", taken, 1.0), baselines=("true", "cp"))
    (found,) = measured([pair], Effort(rounds=2), tmp_path)
    assert (list(found.series), list(found.baselines)) == (["a"], ["true", "cp"])
    assert [len(each.times) for rounds in found.baselines.values() for each in rounds] == [2] * 4
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cause", [Wrong("no server"), Unsupported("no engine")])
def test_what_cannot_be_measured_here_is_skipped_with_its_reason(
    cause: SandlotError | Wrong, tmp_path: Path
) -> None:
    async def refused() -> tuple[Series, ...]:
        raise cause

    @asynccontextmanager
    async def opened(_stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
        yield await refused()

    taken: list[tuple[str, int]] = []
    one = Benchmark("impossible", "nothing", opened, ())
    skipped, other = measured([one, benchmark(series("a", taken, 1.0))], Effort(rounds=1), tmp_path)
    assert (skipped.skipped, skipped.series) == (str(cause), {})
    assert (other.skipped, list(other.series)) == (None, ["a"])


def test_benchmarks_run_in_the_catalogues_order_whatever_is_asked() -> None:
    assert [each.name for each in catalogue.named(["startup", "exec"])] == ["exec", "startup"]
    assert catalogue.named([]) == catalogue.BENCHMARKS


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidSpec, match=r"'nope': use http, one-shot, .* soak, cycles$"):
        catalogue.named(["exec", "nope"])


def test_what_takes_as_long_as_one_says_runs_only_by_its_name() -> None:
    assert not {"soak", "cycles"} & {each.name for each in catalogue.named([])}
    (soak, cycles) = catalogue.named(["cycles", "soak"], 12)
    assert (soak.name, soak.count, cycles.count) == ("soak", 1, 12)


def test_what_is_measured_whole_ignores_counts_and_bounds_its_rounds(tmp_path: Path) -> None:
    taken: list[tuple[str, int]] = []
    whole = replace(
        benchmark(series("a", taken, 1.0)), most_rounds=1, is_counted=False, is_warmed=False, count=5
    )
    measured([whole], Effort(rounds=4, count=9), tmp_path)
    assert taken == [("a", 5)]


def test_what_is_not_built_is_told_apart_from_what_is_impossible_here(tmp_path: Path) -> None:
    async def refused() -> tuple[Series, ...]:
        raise NotBuilt("no pool")

    @asynccontextmanager
    async def opened(_stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
        yield await refused()

    (found,) = measured([Benchmark("pool-empty", "nothing", opened, ())], Effort(rounds=1), tmp_path)
    assert (found.skipped, found.is_built) == ("no pool", False)
