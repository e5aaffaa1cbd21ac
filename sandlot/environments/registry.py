"""The environments of this machine: one folder each, described by `environment.json`, tree in `tree/`."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from sandlot import settings
from sandlot.contracts.errors import EngineUnavailable, InvalidSpec, NotFound
from sandlot.contracts.paths import identifier

from .environment import SYSTEM, Environment
from .interpreter import examine
from .storage import set_aside, sweep

DESCRIPTION = "environment.json"
TREE = "tree"
SYSTEM_PYTHON = Path("/usr/bin/python3")


@dataclass(frozen=True, slots=True)
class Broken:
    """An environment's folder that cannot be used, and why."""

    name: str
    cause: str


def get(name: str, data: Path | None = None) -> Environment:
    """The environment called *name* in the data directory *data* (default: the settings').

    Raises NotFound naming the command that makes one, InvalidSpec for a damaged one.
    """
    data = data or settings.load().data_directory
    if name == SYSTEM:
        return _system(data)
    folder = data / "environments" / identifier(name, "environment")
    try:
        described = Environment.from_json(json.loads((folder / DESCRIPTION).read_bytes()))
    except FileNotFoundError:
        raise NotFound(
            f"there is no environment {name!r}: make it with `sandlot env create {name}`"
        ) from None
    except (OSError, ValueError, InvalidSpec) as cause:
        raise InvalidSpec(
            f"environment {name!r} is damaged ({cause}): remove it and create it again"
        ) from cause
    if described.name != name:
        raise InvalidSpec(f"environment {name!r} describes itself as {described.name!r}: create it again")
    return described


def listed(data: Path | None = None) -> list[Environment | Broken]:
    """Every environment, the built-in one first, damaged ones with their cause."""
    data = data or settings.load().data_directory
    found: list[Environment | Broken] = []
    for name in [SYSTEM, *_names(data / "environments")]:
        try:
            found.append(get(name, data))
        except (InvalidSpec, EngineUnavailable) as cause:
            found.append(Broken(name, cause.message))
    return found


def remove(name: str, data: Path | None = None) -> None:
    """Delete the environment *name*; sandboxes that still use it lose its files. Raises NotFound."""
    if name == SYSTEM:
        raise InvalidSpec("the environment 'system' is the distribution's Python: it cannot be removed")
    environments = (data or settings.load().data_directory) / "environments"
    try:
        set_aside(environments / identifier(name, "environment"))
    except FileNotFoundError:
        raise NotFound(f"there is no environment {name!r}: see `sandlot env list`") from None
    sweep(environments)


def _names(environments: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(environments) if not entry.name.startswith("."))
    except FileNotFoundError:
        return []


def _system(data: Path) -> Environment:
    if sys.platform != "linux":
        # Elsewhere the distribution's Python is too old or a stub: the running one is the honest choice.
        python = Path(getattr(sys, "_base_executable", None) or sys.executable)
    elif SYSTEM_PYTHON.exists():
        python = SYSTEM_PYTHON
    else:
        raise EngineUnavailable(f"{SYSTEM_PYTHON} is missing: install your distribution's python3 package")
    found = examine(python, data / "agents")
    return Environment(SYSTEM, str(python), python, found.version, found.tag)
