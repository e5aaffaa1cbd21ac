from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import jupyter, sandbox_runtime
from tests.e2e.original import COMMANDS, Original, install

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built with the tools of the venv and without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("sandlot-*.whl")
    return built


@pytest.fixture(scope="session", params=list(COMMANDS))
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Original:
    """One of the original packages in a venv of its own."""
    return install(request.param, tmp_path_factory.mktemp(f"noxrunner-{request.param}"))


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a venv that holds the original Sandbox Runtime."""
    return sandbox_runtime.install(tmp_path_factory.mktemp("sandbox-runtime"))


@pytest.fixture(scope="session")
def jupyter_clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a venv that holds ipybox's client and the notebook server."""
    return jupyter.install(tmp_path_factory.mktemp("jupyter-clients"))
