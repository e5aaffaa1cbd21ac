"""`sandlot doctor`, and what is said where the default engine is missing."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.conftest import Sandlot

NO_TOOLS = {"PATH": "/nonexistent"}


@pytest.mark.engine
@pytest.mark.needs_engine("bubblewrap")
def test_it_reports_what_a_run_gets(boxed: Sandlot) -> None:
    told = boxed("doctor", "--json")
    shown = json.loads(told.stdout)
    # A single run would not wait for a zygote: it is told which engine to take.
    result = json.loads(boxed("run", "--engine", shown["default"], "--json", "-c", "pass").stdout)
    (entry,) = [entry for entry in shown["engines"] if entry["engine"] == shown["default"]]
    assert told.returncode == 0
    assert (entry["engine"], entry["isolation"]) == (result["engine"], result["isolation"])
    assert entry["enforced"] == result["enforced"]
    assert shown["environment"] == "system"


@pytest.mark.engine
@pytest.mark.needs_engine("bubblewrap")
def test_in_words_it_names_the_default(boxed: Sandlot) -> None:
    told = boxed("doctor").stdout.decode()
    assert "zygote: works (default)" in told
    assert "\x1b" not in told
    assert "\x1b[" in boxed("doctor", FORCE_COLOR="1").stdout.decode()


@pytest.mark.engine
@pytest.mark.needs_engine("zygote")
def test_without_bubblewrap_it_says_how_to_get_it(boxed: Sandlot) -> None:
    told = boxed("doctor", "--json", **NO_TOOLS)
    shown = json.loads(told.stdout)
    (entry,) = [entry for entry in shown["engines"] if entry["engine"] == "bubblewrap"]
    assert (told.returncode, shown["default"], entry["works"]) == (0, "zygote", False)
    assert "install" in entry["remedy"]
    assert "bubblewrap" in entry["remedy"]


@pytest.mark.engine
@pytest.mark.needs_engine("zygote")
def test_without_bubblewrap_nothing_runs_weaker(boxed: Sandlot) -> None:
    told = json.loads(boxed("run", "--json", "-c", "print('ran')", **NO_TOOLS).stdout)
    assert (told["stdout"], told["engine"], told["isolation"]) == ("ran\n", "zygote", "namespace")
    assert "install" in told["failover"][0]
