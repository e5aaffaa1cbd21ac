"""Where configuration is looked for, and where data and sockets lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

PROJECT_FILE = "sandlot.toml"


def config_files(environ: Mapping[str, str]) -> List[Path]:
    """Where configuration is looked for, strongest first: the project's file, then the user's."""
    if _is_root():
        return [Path(PROJECT_FILE), Path("/etc/sandlot/config.toml")]
    return [Path(PROJECT_FILE), _home(environ, "XDG_CONFIG_HOME", ".config")[0] / "config.toml"]


def directories(environ: Mapping[str, str]) -> Dict[str, Tuple[Path, str]]:
    """The two directories and what decided each; systemd's variables win (systemd.exec(5))."""
    found = _root_directories() if _is_root() else _user_directories(environ)
    for variable, name in (("STATE_DIRECTORY", "data_directory"), ("RUNTIME_DIRECTORY", "runtime_directory")):
        # systemd lists several directories with colons; the first is the service's main one.
        first = environ.get(variable, "").split(":")[0]
        if os.path.isabs(first):
            found[name] = (Path(first), "variable " + variable)
    return found


def cache_directory(environ: Optional[Mapping[str, str]] = None) -> Path:
    """Where this user keeps what can be made again, for all data directories together."""
    if _is_root():
        return Path("/var/cache/sandlot")
    return _home(os.environ if environ is None else environ, "XDG_CACHE_HOME", ".cache")[0]


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _root_directories() -> Dict[str, Tuple[Path, str]]:
    return {
        "data_directory": (Path("/var/lib/sandlot"), "default"),
        "runtime_directory": (Path("/run/sandlot"), "default"),
    }


def _user_directories(environ: Mapping[str, str]) -> Dict[str, Tuple[Path, str]]:
    state, origin = _home(environ, "XDG_STATE_HOME", ".local/state")
    runtime = (state / "run", origin)
    if os.path.isabs(environ.get("XDG_RUNTIME_DIR", "")):
        runtime = _home(environ, "XDG_RUNTIME_DIR", "")
    return {
        "data_directory": _home(environ, "XDG_DATA_HOME", ".local/share"),
        "runtime_directory": runtime,
    }


def _home(environ: Mapping[str, str], variable: str, below_home: str) -> Tuple[Path, str]:
    """Our folder in an XDG base directory; relative values are ignored, as that specification says."""
    base = environ.get(variable, "")
    if os.path.isabs(base):
        return Path(base) / "sandlot", "variable " + variable
    home = environ.get("HOME") or os.path.expanduser("~")
    return Path(home) / below_home / "sandlot", "default"
