"""Tiny runs for real: everything is measured, nothing is said about speed, nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandlot import settings
from sandlot.bench import catalogue, kernels, page, private_server, report, run
from sandlot.bench.benchmark import Extents
from sandlot.bench.session import Effort
from tests.unit.local.machine import data_directory, obstacle

pytestmark = [pytest.mark.engine, pytest.mark.linux, pytest.mark.needs_engine("bubblewrap")]

NEED_MORE = {"numpy", "pandas", "pool-empty", "cell", "context", "cells", "context-memory"}
TINY = Effort(rounds=1, count=1, is_quick=True)


@pytest.fixture(autouse=True)
def _boxes_and_a_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    pytest.importorskip("uvicorn")
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")
    with data_directory() as place:
        monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(place))
        yield


def quiet(_text: str) -> None:
    """Progress that nobody hears."""


def failed(shown: dict[str, Any]) -> dict[str, Any]:
    """The errors of every series that has some."""
    return {result["series"]: result["errors"] for result in shown["results"] if result["errors"]}


def test_everything_is_measured_on_a_server_of_its_own() -> None:
    shown = asyncio.run(run.run(run.Asked(effort=TINY, extents=Extents(environment="none")), quiet))
    assert failed(shown) == {}
    skipped = {entry["benchmark"]: entry["why"] for entry in shown["skipped"]}
    assert set(skipped) <= NEED_MORE
    assert "sandlot env create none numpy pandas ipython --preload numpy pandas IPython" in skipped["numpy"]
    assert report.missed(shown) == []
    assert shown["server"]["engine"]
    assert {"namespaces", "seccomp"} <= set(shown["server"]["enforced"])
    assert shown["config"]["target"] == "private server"
    assert list(shown["computesdk"]) == ["sequential", "staggered", "burst"]
    ours = [result for result in shown["results"] if not result["baseline"]]
    compared = {each.name: bool(each.baselines) for each in catalogue.BENCHMARKS}
    assert {result["benchmark"] for result in ours} | set(skipped) == set(compared)
    assert all(bool(result["ratios"]) is compared[result["benchmark"]] for result in ours)
    figures = {result["series"]: set(result["figures"]) for result in ours}
    assert figures["burst"] >= {"createMs", "destroyMs", "wallClockMs"}
    assert figures["closed-loop"] == {"perSecond", "clientMicroseconds"}
    assert figures["memory"] == {"privateMiBEach", "availableMiBEach"}
    assert figures["density"] == {"privateMiBEach", "availableMiBEach", "liveSandboxes"}
    assert figures["growth"] >= {"createMsAt2", "deleteMsAt4", "executeGrowth"}
    assert figures["upload"] == figures["download"] == {"megabytesPerSecond", "serverGrowthMiB"}
    assert "## Ratios" in page.page(shown)


def test_a_server_that_runs_already_is_measured_and_stays() -> None:
    async def twice() -> list[dict[str, Any]]:
        async with private_server.running() as server:
            asked = run.Asked(["exec", "memory"], TINY, url=server.url)
            return [await run.run(asked, quiet) for _ in range(2)]

    for shown in asyncio.run(twice()):
        assert failed(shown) == {}
        assert shown["config"]["target"] == "given server"
        assert [entry["benchmark"] for entry in shown["skipped"]] == ["memory"]


def test_cycles_and_soak_read_the_systems_counters() -> None:
    asked = run.Asked(["cycles", "soak"], TINY, Extents(cycles=2, seconds=1.0))
    shown = asyncio.run(run.run(asked, quiet))
    assert failed(shown) == {}
    soak, cycles = (result["figures"] for result in shown["results"])
    for counter in ("processes", "mounts", "cgroups", "namespaces", "descriptors", "files"):
        assert cycles[f"{counter}Leaked"] == 0, cycles
        assert soak[f"{counter}Leaked"] == 0, soak
    assert cycles["processesBefore"] >= 1
    assert cycles["filesBefore"] > 0
    assert soak["serverMiBBefore"] > 10


def test_cells_are_measured_in_an_environment_that_has_ipython(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDLOT_DATA_DIRECTORY")
    if not (settings.load().data_directory / "environments" / "default").is_dir():
        pytest.skip("there is no environment `default` here; `make run` builds it")
    said: list[str] = []
    asked = run.Asked(
        ["cell", "context", "cells", "context-memory"], TINY, extents=Extents(environment="default")
    )
    shown = asyncio.run(run.run(asked, said.append))
    assert failed(shown) == {}
    assert shown["skipped"] == []
    ours = {each["series"]: each for each in shown["results"] if not each["baseline"]}
    assert list(ours) == ["cell", "context", "context-back-to-back", "cells", "context-memory"]
    assert ours["cells"]["figures"]["perSecond"] > 0
    assert ours["context-memory"]["figures"]["privateMiBEach"] > 0.1
    if kernels.is_here():
        assert all(ours[name]["ratios"] for name in ("cell", "context"))
    else:
        assert len([line for line in said if "pip install 'sandlot[bench]'" in line]) == 2


def test_a_private_server_ends_with_its_directories() -> None:
    async def lived() -> tuple[int, Path]:
        async with private_server.running() as server:
            return server.process, Path(os.readlink(f"/proc/{server.process}/cwd"))

    process, place = asyncio.run(lived())
    assert not Path(f"/proc/{process}").exists()
    assert not place.exists()


def test_the_command_writes_the_document_and_prints_the_table(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandlot.cli.main", "bench", "--quick", "--rounds", "1", "--count", "1"]
    done = subprocess.run(
        [*command, "startup", "bubblewrap-one-shot", "--output", str(tmp_path / "out.json")],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.json").read_text())["schema"] == 2
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["WHAT", "N", "FAILED"]
    assert [line.split()[0] for line in lines[1:7]] == [
        "bubblewrap-one-shot", "beside", "beside", "startup", "startup", "beside",
    ]  # fmt: skip
    assert "sandlot: startup: round 1 of 1, help\n" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["cycles", "0"], 125, "write it as `cycles 0`"),
        (["--load", "3"], 2, "out of range"),
        (["--url", "https://localhost:1", "exec"], 125, "does not speak https"),
        (["nope"], 125, "there is no benchmark 'nope'"),
        (["--output", "/nonexistent/out.json", "startup"], 125, "cannot be written"),
        (["--rounds", "0"], 2, "out of range"),
        (["--url", "http://127.0.0.1:1", "--rounds", "1", "--count", "1", "exec"], 125, "127.0.0.1"),
    ],
)
def test_what_cannot_be_done_is_told(words: list[str], code: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandlot.cli.main", "bench", *words],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
