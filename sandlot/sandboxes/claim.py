"""One server per state directory: the claim is a lock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sandlot.contracts.errors import Conflict, InvalidSpec

LOCK = "server.lock"
"""The file that is locked. It holds the pid of its holder, is empty after `release`, and stays behind."""


class Claim:
    """A state directory that is this process's until `release`.

    `was_interrupted` says whether the process that had it before ended without that.
    """

    def __init__(self, descriptor: int, *, was_interrupted: bool) -> None:
        """Made by `claim`."""
        self._descriptor: int | None = descriptor
        self.was_interrupted = was_interrupted

    def release(self) -> None:
        """Let others have it; idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)


def claim(directory: Path) -> Claim:
    """Claim *directory*, which is made when missing (flock(2)).

    Raises Conflict with the holder's pid when another server has it, InvalidSpec when it cannot be used.
    """
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as cause:
        raise InvalidSpec(
            f"the state directory {directory} cannot be used ({cause.strerror}): "
            "choose another data directory"
        ) from cause
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise Conflict(
            f"the state directory {directory} belongs to the running server with pid {holder}: "
            "stop that one, or choose another data directory"
        ) from cause
    was_interrupted = os.fstat(descriptor).st_size > 0
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return Claim(descriptor, was_interrupted=was_interrupted)
