"""The original NoxRunner packages from the index, each in a venv of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.interpreters import installed

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
    return Original(version, installed(folder, _PYTHON, (f"noxrunner=={version}",)).parent)


def clean_variables() -> dict[str, str]:
    """The environment without what would lead Python, or the client, elsewhere."""
    ours = ("PYTHON", "NOXRUNNER_", "SANDLOT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONIOENCODING": "utf-8"}
