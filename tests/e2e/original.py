"""The original NoxRunner packages from the index, each in a venv of its own."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.interpreters import find

COMMANDS = {"2.0.0": "noxrc", "1.0.0": "noxrunner"}
"""The console script each version installs."""

# Python 3.11: 2.0.0 says 3.8 and cannot be imported there, its annotations need 3.9.
_PYTHON = "3.11"


@dataclass(frozen=True)
class Original:
    """A venv that holds one version of the original."""

    version: str
    scripts: Path

    @property
    def python(self) -> Path:
        return self.scripts / "python"

    @property
    def command(self) -> Path:
        return self.scripts / COMMANDS[self.version]


def install(version: str, folder: Path) -> Original:
    """The original of *version* in a new venv at *folder*; skips the test where that cannot be had."""
    interpreter = find(_PYTHON)
    if interpreter is None:
        pytest.skip(f"no Python {_PYTHON} on PATH, of pyenv or of uv")
    subprocess.run([interpreter, "-I", "-m", "venv", folder], check=True, capture_output=True)
    pip = [str(folder / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check", "install"]
    installed = subprocess.run([*pip, f"noxrunner=={version}"], capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"noxrunner {version} cannot be fetched: {installed.stderr.strip()[-200:]}")
    return Original(version, folder / "bin")


def clean_variables() -> dict[str, str]:
    """The environment without what would lead Python, or the client, elsewhere."""
    ours = ("PYTHON", "NOXRUNNER_", "SANDLOT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONIOENCODING": "utf-8"}
