from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandlot.contracts.capability import Feature
from sandlot.testing.engines import make_engine
from tests.unit.local.machine import data_directory, obstacle

SandboxRun = Callable[..., "subprocess.CompletedProcess[str]"]
PROGRAM = "from sandlot.compat.sandbox_runtime.cli.main import main; raise SystemExit(main())"


@functools.cache
def _bounds_memory() -> bool:
    async def probe() -> bool:
        engine = make_engine("bubblewrap")
        try:
            return Feature.LIMIT_MEMORY in (await engine.probe()).features
        finally:
            await engine.close()

    return asyncio.run(probe())


@pytest.fixture
def bounded() -> None:
    """For tests of a memory limit, which not every user of every machine can have."""
    if not _bounds_memory():
        pytest.skip("nothing here bounds the memory of a sandbox")


@pytest.fixture(scope="package")
def data() -> Iterator[Path]:
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")
    with data_directory() as place:
        yield place


@pytest.fixture
def clean(data: Path) -> dict[str, str]:
    """Variables that leave every setting at its default, but for where data lies."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SANDLOT_", "SANDBOX_"))
    }
    return {
        **kept,
        "SANDLOT_DATA_DIRECTORY": str(data),
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "PYTHONIOENCODING": "utf-8",
    }


@pytest.fixture
def sandbox_run(clean: dict[str, str], tmp_path: Path) -> SandboxRun:
    """`sandbox-run` in a process of its own, on `h.py`, whose text comes first."""

    def run(code: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "h.py").write_text(code)
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, "h.py", *words],
            capture_output=True,
            encoding="utf-8",
            check=False,
            cwd=tmp_path,
            env={**clean, **env},
            timeout=50,
        )

    return run
