"""Canaries: files on the host, outside every box, that an attack would read or change."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

# Everybody may read the first and write to the second, so that only walls keep a payload away, never
# the ordinary permissions of the host.
_NAMES = ("open-to-all", "secret", "writable")
_UNTOUCHED = "as planted"


@dataclass(frozen=True)
class Canaries:
    """A directory with canaries in it; `token` is in the readable one and nowhere else."""

    directory: Path
    token: str

    @property
    def secret(self) -> Path:
        """A world-readable file that holds the token."""
        return self.directory / "secret"

    @property
    def writable(self) -> Path:
        """A world-writable file."""
        return self.directory / "writable"

    @property
    def open_to_all(self) -> Path:
        """A world-writable directory."""
        return self.directory / "open-to-all"

    def disturbances(self) -> tuple[str, ...]:
        """What was changed: empty when every canary is as it was planted."""
        found = []
        names = sorted(os.listdir(self.directory))
        if names != sorted(_NAMES):
            found.append(f"the canary directory holds {names}")
        if "secret" in names and self.secret.read_text() != self.token:
            found.append("the secret was changed")
        if "writable" in names and _state(self.writable) != (_UNTOUCHED, 1, 0o666):
            found.append("the writable file was changed, linked or closed")
        if "open-to-all" in names and os.listdir(self.open_to_all):
            found.append(f"something was written: {os.listdir(self.open_to_all)[:5]}")
        return tuple(found)

    def seen_in(self, data: bytes) -> bool:
        """Whether the token got into *data*."""
        return self.token.encode() in data

    def remove(self) -> None:
        """Take the canaries away."""
        shutil.rmtree(self.directory)


def _state(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return path.read_text(), found.st_nlink, found.st_mode & 0o777


def plant() -> Canaries:
    """New canaries under the host's temporary directory, readable and writable by everybody."""
    directory = Path(tempfile.mkdtemp(prefix="canary-"))
    token = f"canary-{secrets.token_hex(16)}"
    canaries = Canaries(directory, token)
    canaries.secret.write_text(token)
    canaries.writable.write_text(_UNTOUCHED)
    canaries.open_to_all.mkdir()
    for path, mode in (
        (canaries.writable, 0o666),
        (directory, 0o755),
        (canaries.secret, 0o644),
        (canaries.open_to_all, 0o777),
    ):
        path.chmod(mode)
    return canaries
