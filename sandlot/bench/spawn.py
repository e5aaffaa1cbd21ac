"""Bare processes: the cheapest way this interpreter has to start a program and wait for its end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from .benchmark import Wrong

OURS = {"PYTHONPATH": str(Path(__file__).parents[2])}
"""The environment in which an interpreter finds this sandlot, installed or not."""

# posix_spawn(3) is vfork-like in glibc: its cost does not grow with the memory of the process that benches.
_NOWHERE = (
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
)


def to_end(argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Run *argv*, an absolute program, with *env* alone and no input or output, to its end.

    Raises Wrong when it does not end with 0, OSError when it cannot be started.
    """
    process = os.posix_spawn(argv[0], list(argv), dict(env or {}), file_actions=_NOWHERE)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise Wrong(f"{os.path.basename(argv[0])} ended with {code}")
