from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandlot.testing.servers import RunningServer, running_server
from tests.unit.local.machine import data_directory, obstacle

Sandlot = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="session")
def data() -> Iterator[Path]:
    with data_directory() as place:
        yield place


@pytest.fixture(scope="session")
def clean(data: Path) -> dict[str, str]:
    """Variables that leave every setting at its default, but for where data lies."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SANDLOT_", "SANDBOX_"))
    }
    kept["SANDLOT_DATA_DIRECTORY"] = str(data)
    kept["PYTHONPATH"] = str(Path(__file__).parents[3])
    return kept


@pytest.fixture
def sandlot(clean: dict[str, str], tmp_path: Path) -> Sandlot:
    """The command line in a process of its own, in an empty directory, with clean settings."""

    def run(*words: str | Path, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "sandlot.cli.main", *map(str, words)],
            input=stdin,
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={**clean, **env},
            timeout=50,
        )

    return run


@pytest.fixture
def boxed(sandlot: Sandlot) -> Sandlot:
    """`sandlot`, where it can start boxes."""
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")
    return sandlot


@pytest.fixture(scope="package")
def server() -> Iterator[RunningServer]:
    """A server of its own state, where boxes can be started."""
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")
    with running_server("--image", "python:3.11=system") as running:
        yield running


@pytest.fixture
def served(sandlot: Sandlot, server: RunningServer) -> Sandlot:
    """`sandlot`, which speaks to the server."""
    return functools.partial(sandlot, SANDLOT_URL=server.url)
