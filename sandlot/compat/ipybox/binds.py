"""Directories of the host below /app in a container."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.spec import Mount

_OPEN = 0o1777  # as /tmp: as root, sandboxes run as users that nobody is


def mounts_of(binds: Mapping[str, str]) -> tuple[Mount, ...]:
    """The mounts of *binds*, which map paths of the host to places below /app; both sides may be relative.

    A directory that is missing is made, and opened to the sandbox. Raises InvalidSpec for a place that is not
    below /app, OSError for a directory that cannot be made.
    """
    return tuple(
        Mount(str(_prepared(host)), target_of(place), writable=True) for host, place in binds.items()
    )


def target_of(place: str) -> PurePosixPath:
    """Where *place*, below /app, is in the sandbox (pure). Raises InvalidSpec."""
    # As the original writes it: a leading slash is one too many, and no other root.
    target = WORKSPACE / place.lstrip("/")
    if target == WORKSPACE or ".." in target.parts or "\0" in place:
        raise InvalidSpec(
            f"a bind stands below /app, and {place!r} does not: name a directory such as 'data'"
        )
    return target


def _prepared(host: str) -> Path:
    path = Path(host).resolve()
    if not path.exists():
        path.mkdir(parents=True)
        if os.geteuid() == 0:
            path.chmod(_OPEN)
    return path
