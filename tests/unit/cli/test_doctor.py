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
    result = json.loads(boxed("run", "--json", "-c", "pass").stdout)
    (entry,) = [entry for entry in shown["engines"] if entry["engine"] == shown["default"]]
    assert told.returncode == 0
    assert (entry["engine"], entry["isolation"]) == (result["engine"], result["isolation"])
    assert entry["enforced"] == result["enforced"]
    assert shown["environment"] == "system"


@pytest.mark.engine
@pytest.mark.needs_engine("bubblewrap")
def test_in_words_it_names_the_default(boxed: Sandlot) -> None:
    told = boxed("doctor").stdout.decode()
    assert "bubblewrap: works (default)" in told
    assert "\x1b" not in told
    assert "\x1b[" in boxed("doctor", FORCE_COLOR="1").stdout.decode()


@pytest.mark.linux
def test_without_bubblewrap_it_says_how_to_get_it(sandlot: Sandlot) -> None:
    told = sandlot("doctor", "--json", **NO_TOOLS)
    shown = json.loads(told.stdout)
    (entry,) = [entry for entry in shown["engines"] if entry["engine"] == "bubblewrap"]
    assert (told.returncode, shown["default"], entry["works"]) == (125, None, False)
    assert "install" in entry["remedy"]
    assert "bubblewrap" in entry["remedy"]


@pytest.mark.linux
def test_without_bubblewrap_nothing_runs_weaker(sandlot: Sandlot) -> None:
    told = sandlot("run", "-c", "print('ran')", **NO_TOOLS)
    assert (told.returncode, told.stdout) == (125, b"")
    assert b"install" in told.stderr
