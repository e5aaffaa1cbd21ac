"""Clients of Jupyter's kernel gateway in a venv of their own: ipybox's and the notebook server's."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.e2e.interpreters import installed
from tests.e2e.original import clean_variables

_PYTHON = "3.11"
_IPYBOX = "ipybox==0.6.7"
# What importing its client needs; the rest of its requirements are for its image and its MCP server.
_NEEDED = ("aiodocker<0.25", "aiofiles<25", "aiohttp<4", "pillow<12", "tornado<7")
_NOTEBOOK_SERVER = "jupyter_server==2.21.1"


def install(folder: Path) -> Path:
    """The Python of a new venv at *folder* that holds them; skips where they cannot be had."""
    return installed(folder, _PYTHON, ("--no-deps", _IPYBOX), (*_NEEDED, _NOTEBOOK_SERVER))


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
