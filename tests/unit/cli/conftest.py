from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.local.machine import data_directory, obstacle

Sandlot = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="session")
def data() -> Iterator[Path]:
    with data_directory() as place:
        yield place


@pytest.fixture
def sandlot(data: Path, tmp_path: Path) -> Sandlot:
    """The command line in a process of its own, in an empty directory, with clean settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SANDLOT_")}
    clean["SANDLOT_DATA_DIRECTORY"] = str(data)
    clean["PYTHONPATH"] = str(Path(__file__).parents[3])

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
