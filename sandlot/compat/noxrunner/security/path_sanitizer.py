"""Paths of the box as paths of a local sandbox; what leads elsewhere becomes the workspace."""

from __future__ import annotations

from pathlib import Path

# NUL in a name, a name too long, a loop of links (RuntimeError before Python 3.13).
_UNRESOLVABLE = (ValueError, OSError, RuntimeError)


class PathSanitizer:
    """Turns any path into one that lies inside a sandbox's directory, links resolved."""

    def sanitize(self, path: str, sandbox_path: Path, workspace_name: str = "workspace") -> Path:
        """The place `path` means, or the workspace itself when that is outside of the sandbox."""
        sandbox = sandbox_path.resolve()
        workspace = sandbox / workspace_name
        if Path(path).is_absolute():
            wanted = Path(path)
        elif ".." in path:
            return workspace
        else:
            wanted = workspace / path
        try:
            resolved = wanted.resolve()
        except _UNRESOLVABLE:
            return workspace
        return resolved if _is_within(resolved, sandbox) else workspace

    def ensure_within_sandbox(self, path: Path, sandbox_path: Path) -> bool:
        """Whether `path`, links resolved, is `sandbox_path` or lies beneath it."""
        try:
            return _is_within(path.resolve(), sandbox_path.resolve())
        except _UNRESOLVABLE:
            return False

    def sanitize_filename(self, filename: str) -> str:
        """The last component of a name; empty for `.` and `/`."""
        return Path(filename).name


def _is_within(path: Path, directory: Path) -> bool:
    return path == directory or directory in path.parents
