"""The base wheel on the oldest and newest promised Python: no dependency, and tests/base passes there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT
from tests.e2e.interpreters import find

LOCK = ROOT / "requirements" / "base-test.txt"
CAME_WITH_VENV = {"pip", "setuptools"}
NAMES = ("3.8", "3.13")
# As in pyproject.toml, which is not there: asyncio of 3.8 warns of its own call when generators are open.
_SETTINGS = """[pytest]
pythonpath = .
filterwarnings =
    error
    ignore:The loop argument is deprecated since Python 3.8:DeprecationWarning
"""
VERSIONS = [pytest.param(version, marks=pytest.mark.needs_python(version)) for version in NAMES]


Runs = dict[str, "Future[subprocess.CompletedProcess[str]]"]


@dataclass(frozen=True)
class Bare:
    """A venv that holds the base wheel and nothing else."""

    version: str
    python: Path

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))
        }
        command = [str(part) for part in (self.python, *arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=clean)

    def pip(self, *arguments: str | Path) -> str:
        done = self.run("-I", "-m", "pip", "--disable-pip-version-check", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def bares(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bare]:
    """A venv with the wheel for each version there is an interpreter of."""
    found = {version: find(version) for version in NAMES}
    return {
        version: _installed(version, interpreter, wheel, tmp_path_factory.mktemp(f"bare-{version}"))
        for version, interpreter in found.items()
        if interpreter is not None
    }


@pytest.fixture(params=VERSIONS)
def bare(request: pytest.FixtureRequest, bares: dict[str, Bare]) -> Bare:
    version: str = request.param
    if version not in bares:
        pytest.skip(f"no Python {version} on PATH, of pyenv or of uv")
    return bares[version]


@pytest.fixture(scope="module")
def base_runs(bares: dict[str, Bare], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """tests/base under every version, all at once: they mostly wait."""
    with ThreadPoolExecutor() as pool:
        yield {
            version: pool.submit(_base_tests, bare, tmp_path_factory.mktemp(f"base-{version}"))
            for version, bare in bares.items()
        }


@pytest.mark.timeout(120)
def test_the_wheel_brings_nothing_along(bare: Bare) -> None:
    installed = {entry["name"] for entry in json.loads(bare.pip("list", "--format", "json"))}
    assert installed - CAME_WITH_VENV == {"sandlot"}


def test_the_package_imports_without_a_room(bare: Bare) -> None:
    shown = bare.run(
        "-I", "-c", "import sandlot, sys; print(sorted(n for n in sys.modules if 'sandlot' in n))"
    )
    assert shown.stdout == "['sandlot', 'sandlot._version']\n", shown.stderr


def test_base_names_are_there_and_newer_ones_say_what_they_need(bare: Bare) -> None:
    assert bare.run("-I", "-c", "from sandlot import Isolation, Limits, Result").returncode == 0
    newer = bare.run("-I", "-c", "from sandlot import run")
    if bare.version == "3.8":
        assert "sandlot.run needs Python 3.11 or later and this is Python 3.8" in newer.stderr
    else:
        assert newer.returncode == 0, newer.stderr


def test_a_container_of_ipybox_says_what_it_needs(bare: Bare) -> None:
    code = "import asyncio; from sandlot.compat import ipybox; asyncio.run(ipybox.ExecutionContainer().run())"
    wanted = "needs Python 3.11 or later" if bare.version == "3.8" else "pip install 'sandlot[ipybox]'"
    assert wanted in bare.run("-I", "-c", code).stderr


def test_the_command_starts_and_says_its_version(bare: Bare) -> None:
    shown = bare.run("-I", bare.python.parent / "sandlot", "--version")
    assert (shown.returncode, shown.stdout.split()) == (0, ["sandlot", _version()]), shown.stderr


@pytest.mark.timeout(1200)  # two suites, beside others and on a slow machine
def test_the_base_tests_pass_there(bare: Bare, base_runs: Runs) -> None:
    done = base_runs[bare.version].result()
    assert done.returncode == 0, done.stdout + done.stderr


def _installed(version: str, interpreter: Path, wheel: Path, folder: Path) -> Bare:
    subprocess.run([interpreter, "-I", "-m", "venv", folder], check=True, capture_output=True)
    venv = Bare(version, folder / "bin" / "python")
    # Without an index pip cannot fetch a dependency: the wheel stands alone or this fails.
    venv.pip("install", "--no-index", wheel)
    return venv


def _base_tests(bare: Bare, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run tests/base in a copy of the venv's place, with the old test tools added."""
    _add_test_tools(bare)
    # A copy, so that no conftest.py, no pyproject.toml and no source tree stands above the tests.
    copy = folder / "tests" / "base"
    shutil.copytree(ROOT / "tests" / "base", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pytest.ini").write_text(_SETTINGS, encoding="utf-8")
    options = ("-q", "--import-mode=importlib", "--hypothesis-profile=another python")
    return bare.run("-I", "-m", "pytest", *options, copy, cwd=folder)


def _add_test_tools(bare: Bare) -> None:
    """The old test tools, kept as wheels so that only the first run downloads."""
    kept = ROOT / ".cache" / f"wheels-{bare.version}"
    stamp = kept / LOCK.name
    if not stamp.exists() or stamp.read_bytes() != LOCK.read_bytes():
        bare.pip("download", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", LOCK, "-d", kept)
        shutil.copyfile(LOCK, stamp)
    bare.pip("install", "--quiet", "--no-index", "--find-links", kept, "--require-hashes", "-r", LOCK)


def _version() -> str:
    text = (ROOT / "sandlot" / "_version.py").read_text(encoding="utf-8")
    return text.split('__version__ = "')[1].split('"')[0]
