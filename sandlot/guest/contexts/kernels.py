"""Which languages an environment has: the Jupyter kernels that its packages brought, below its prefix.

See "Making kernels for Jupyter" of jupyter_client. Those of the user's home are not looked for: what a run
left there must not become the interpreter of the next one.
"""

from __future__ import annotations

import os
import sys

from ...wire import json_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

_FOLDER = ("share", "jupyter", "kernels")
_LARGEST = 65_536
_WITHOUT_SPEC = {
    "bash": {
        "module": "bash_kernel",
        "argv": ["python", "-m", "bash_kernel", "-f", "{connection_file}"],
        "env": {"PS1": "$"},
    }
}
"""Packages whose wheels bring no kernel.json: they would have to be installed by a program of theirs."""


def found(language: str) -> Optional[Dict[str, Any]]:
    """The specification of the kernel for *language*; None where the environment has none."""
    return _known().get(language)


def refusal(language: str) -> str:
    """Why there is no context of *language*, and what to do."""
    known = ", ".join(sorted({"python", *_known()}))
    return (
        f"the environment has no Jupyter kernel for {language}; its languages: {known}. "
        f"Make an environment whose packages bring one (bash: `sandlot env create NAME bash_kernel`)"
    )


def _known() -> Dict[str, Dict[str, Any]]:
    known: Dict[str, Dict[str, Any]] = {}
    for language, spec in _WITHOUT_SPEC.items():
        if _is_installed(str(spec["module"])):
            known[language] = {**spec, "language": language}
    for spec in specs_below(sys.prefix):
        known.setdefault(str(spec["language"]).lower(), spec)
    known.pop("python", None)
    return known


def specs_below(prefix: str) -> List[Dict[str, Any]]:
    """The specifications of *prefix* that can be read, by name of their folders."""
    folder = os.path.join(prefix, *_FOLDER)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return list(filter(None, (_read(os.path.join(folder, name, "kernel.json")) for name in names)))


def _read(path: str) -> Optional[Dict[str, Any]]:
    try:
        with open(path, "rb") as source:
            spec = json_object.parse(source.read(_LARGEST))
    except (OSError, json_object.JsonError):
        return None
    is_one = isinstance(spec.get("argv"), list) and isinstance(spec.get("language"), str)
    return {**spec, "folder": os.path.dirname(path)} if is_one else None


def _is_installed(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None
