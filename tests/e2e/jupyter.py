"""Clients of Jupyter's kernel gateway in a venv of their own: ipybox's and the notebook server's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.interpreters import find
from tests.e2e.original import clean_variables

_PYTHON = "3.11"
_IPYBOX = "ipybox==0.6.7"
# What importing its client needs; the rest of its requirements are for its image and its MCP server.
_NEEDED = ("aiodocker<0.25", "aiofiles<25", "aiohttp<4", "pillow<12", "tornado<7")
_NOTEBOOK_SERVER = "jupyter_server==2.21.1"


def install(folder: Path) -> Path:
    """The Python of a new venv at *folder* that holds them; skips where they cannot be had."""
    interpreter = find(_PYTHON)
    if interpreter is None:
        pytest.skip(f"no Python {_PYTHON} on PATH, of pyenv or of uv")
    subprocess.run([interpreter, "-I", "-m", "venv", folder], check=True, capture_output=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-I", "-m", "pip", "--disable-pip-version-check", "install", "--only-binary", ":all:"]
    for wanted in (["--no-deps", _IPYBOX], [*_NEEDED, _NOTEBOOK_SERVER]):
        installed = subprocess.run([*pip, *wanted], capture_output=True, text=True, check=False)
        if installed.returncode:
            pytest.skip(f"{wanted[-1]} cannot be fetched: {installed.stderr.strip()[-200:]}")
    return python


def told(python: Path, program: str, *arguments: str, folder: Path, **variables: str) -> list[str]:
    """The lines that *program* writes where those clients are, hence without anything of ours."""
    done = subprocess.run(
        [python, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={
            **clean_variables(),
            "JUPYTER_CONFIG_DIR": str(folder),
            "JUPYTER_DATA_DIR": str(folder),
            **variables,
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
