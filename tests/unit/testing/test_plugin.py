from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ENGINE = """
from sandlot.contracts.capability import Viability
from sandlot.contracts.spec import Isolation
from sandlot.testing.suite import Suite


class Absent:
    name = "absent"
    isolation = Isolation.NAMESPACE
    works = False

    async def probe(self):
        cause = None if self.works else "no such thing"
        return Viability("absent", Isolation.NAMESPACE, ("a wall",), cause=cause)

    async def close(self):
        pass


class TestAbsent(Suite):
    engine_name = "absent"
    suite_name = "conformance"

    @classmethod
    def new_engine(cls, without):
        return Absent()

    async def test_something(self):
        assert self.viability.works
"""
WORKING = ENGINE.replace("works = False", "works = True")
PYTHON = """
import pytest

@pytest.mark.needs_python("2.1")
def test_old():
    pytest.skip("no Python 2.1 here")
"""


def run(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text)
    line = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        # None of these tests needs them, and they take most of such a session's time.
        "-p",
        "no:schemathesis",
        "-p",
        "no:hypothesispytest",
        "test_it.py",
        *options,
    ]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_an_engine_that_does_not_work_is_skipped_with_its_cause(tmp_path: Path) -> None:
    done = run(tmp_path, ENGINE, "-rs")
    assert done.returncode == 0
    assert "1 skipped" in done.stdout
    assert "engine absent: no such thing" in done.stdout


def test_a_required_engine_that_does_not_work_fails(tmp_path: Path) -> None:
    done = run(tmp_path, ENGINE, "--require-engine", "absent")
    assert done.returncode == 1
    assert "engine absent is required" in done.stdout
    assert "no such thing" in done.stdout


def test_a_required_engine_nobody_tested_fails(tmp_path: Path) -> None:
    done = run(tmp_path, "def test_other(): pass", "--require-engine", "absent")
    assert done.returncode == 1
    assert "not one test of it passed" in done.stdout


def test_a_required_engine_that_works_passes_and_is_reported(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    done = run(tmp_path, WORKING, "--require-engine", "absent", "--sandlot-report", str(target))
    assert done.returncode == 0, done.stdout
    assert "1 conformance executed (1 passed)" in done.stdout
    book = json.loads(target.read_text())
    assert [record["case"] for record in book["records"]] == ["test_something"]
    assert book["engines"][0]["enforced"] == ["a wall"]


def test_a_required_python_that_is_missing_fails(tmp_path: Path) -> None:
    assert run(tmp_path, PYTHON).returncode == 0
    done = run(tmp_path, PYTHON, "--require-python", "2.1")
    assert done.returncode == 1
    assert "Python 2.1 is required" in done.stdout


@pytest.mark.parametrize(("name", "count"), [("absent", "1 skipped"), ("other", "1 deselected")])
def test_an_engine_is_chosen(tmp_path: Path, name: str, count: str) -> None:
    assert count in run(tmp_path, ENGINE, "--engine", name).stdout
