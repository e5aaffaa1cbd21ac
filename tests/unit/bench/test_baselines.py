from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from sandlot.bench import baselines, spawn
from sandlot.bench.baselines import Means
from sandlot.bench.benchmark import Series, Wrong, repeated
from sandlot.bench.summary import Round
from sandlot.contracts.errors import NotFound
from tests.unit.local.machine import obstacle

pytestmark = pytest.mark.linux


def taken(series: Series, count: int = 1) -> Round:
    found = asyncio.run(series.block(count))
    assert found.errors == ()
    return found


@pytest.mark.parametrize("name", ["python", "true", "interpreter", "cp"])
def test_a_baseline_takes_real_time(name: str, tmp_path: Path) -> None:
    (series,) = baselines.series((name,), Means(tmp_path))
    assert series.name == name
    assert all(time > 0 for time in taken(series, 2).times)


def test_raw_bubblewrap_runs_the_interpreter_in_its_namespaces(tmp_path: Path) -> None:
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")
    (series,) = baselines.series(("bwrap",), Means(tmp_path))
    assert len(taken(series).times) == 1


def test_cp_copies_a_whole_transfer(tmp_path: Path) -> None:
    (series,) = baselines.series(("cp",), Means(tmp_path))
    taken(series)
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "original").read_bytes()
    assert (tmp_path / "copy").stat().st_size == 16 * 2**20


def test_a_baseline_this_machine_lacks_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = baselines.series(("bwrap", "cp", "interpreter"), Means(tmp_path))
    assert [each.name for each in found] == ["interpreter"]


def test_an_import_is_compared_with_only_where_its_environment_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(tmp_path))
    assert baselines.series(("import-numpy", "import-pandas"), Means(tmp_path, "none")) == ()


def test_an_import_runs_in_a_box_with_the_environments_interpreter() -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bwrap is not installed")
    found = baselines.importing("numpy", "system")
    assert found is not None
    assert os.path.basename(found[0]) == "bwrap"
    assert found[-4:] == ("/usr/bin/python3", "-I", "-c", "import numpy")


def test_a_program_that_fails_is_no_sample() -> None:
    false = os.path.realpath(shutil.which("false") or "/bin/false")
    with pytest.raises(Wrong, match="ended with 1"):
        spawn.to_end((false,))


def test_failures_are_counted_with_their_code_and_not_tried_again() -> None:
    outcomes = iter((NotFound("no sandbox x"), Wrong("odd"), None))

    async def sample() -> float:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome
        return 1.5

    found = asyncio.run(repeated("some", sample).block(3))
    assert found == Round((1.5,), ("not_found: no sandbox x", "Wrong: odd"))


def test_a_bug_is_no_failed_sample() -> None:
    async def sample() -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(repeated("some", sample).block(1))
