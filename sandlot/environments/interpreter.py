"""What an interpreter of the host is: asked once by running it, then remembered.

Only interpreters the operator chose are run here; nothing out of an environment's own tree ever is.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from sandlot.contracts.errors import InvalidSpec

from .storage import write_whole

_OLDEST = (3, 8)
_DEADLINE = 20.0  # seconds; a version manager's shim can need half a second on a busy machine

# `_base_executable` leads from a virtual environment to what it was made from.
_QUESTION = """
import importlib.util, json, sys
executable = getattr(sys, "_base_executable", None) or sys.executable
print(json.dumps({
    "executable": executable,
    "prefix": sys.base_prefix,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "numbers": list(sys.version_info[:2]),
    "tag": "%s-%s" % (sys.implementation.cache_tag, importlib.util.MAGIC_NUMBER[:2].hex()),
}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter on the host: where it is, its prefix, version and the bytecode it reads."""

    executable: str
    prefix: str
    version: str
    tag: str


def examine(python: Path, memory: Path) -> Interpreter:
    """What *python* is; answers are remembered in the directory *memory*.

    Raises InvalidSpec when it is no Python of 3.8 or later.
    """
    kept = memory / f"interpreter-{_fingerprint(python)}.json"
    try:
        return Interpreter(**json.loads(kept.read_bytes()))
    except (OSError, ValueError, TypeError):  # not asked yet, or another version's answer: ask
        found = _ask(python)
    write_whole(kept, json.dumps(asdict(found)).encode())
    return found


def _fingerprint(python: Path) -> str:
    try:
        status = python.stat()
    except OSError as cause:
        raise InvalidSpec(f"{python} cannot be used as an interpreter: {cause.strerror}") from cause
    identity = (str(python), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:32]


def _ask(python: Path) -> Interpreter:
    clean = {"PATH": os.defpath, "LANG": "C.UTF-8"}
    command = [str(python), "-I", "-c", _QUESTION]
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_DEADLINE, check=False, env=clean
        )
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise InvalidSpec(f"{python} is not a Python that runs: {type(cause).__name__}") from cause
    try:
        found = json.loads(answer.stdout)
    except ValueError:
        last = answer.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][-200:]
        raise InvalidSpec(f"{python} is not a Python that runs: {last or 'it answers nothing'}") from None
    if tuple(found.pop("numbers")) < _OLDEST:
        raise InvalidSpec(f"{python} is Python {found['version']}: an environment needs 3.8 or later")
    return Interpreter(**found)
