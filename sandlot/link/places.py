"""Where a box's directories are for its agent, when that is not where its user sees them.

Behind a mount namespace both are the same. The engine `process` has none: there `/workspace` is a real
directory of the host, and paths are translated on their way in and out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from sandlot.contracts.errors import PathEscape
from sandlot.contracts.paths import WORKSPACE, sandbox_path

_TEMPORARY = PurePosixPath("/tmp")


@dataclass(frozen=True, slots=True)
class Root:
    """One directory files may be reached in: as users name it, and as the agent does."""

    shown: PurePosixPath
    real: PurePosixPath


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of one box; the first is its workspace."""

    roots: tuple[Root, ...] = (Root(WORKSPACE, WORKSPACE), Root(_TEMPORARY, _TEMPORARY))

    @classmethod
    def beneath(cls, directory: PurePosixPath) -> Places:
        """A workspace and a temporary directory that really are `workspace` and `tmp` in *directory*."""
        return cls((Root(WORKSPACE, directory / "workspace"), Root(_TEMPORARY, directory / "tmp")))

    @property
    def workspace(self) -> str:
        """The workspace as the agent names it."""
        return str(self.roots[0].real)

    def real(self, path: PurePosixPath) -> str:
        """The agent's name for *path*. Raises PathEscape outside the roots, InvalidSpec for no path."""
        found = self._within(sandbox_path(path))
        if found is None:
            reachable = " and ".join(str(root.shown) for root in self.roots)
            raise PathEscape(f"{str(path)!r} is outside the sandbox's files: they are in {reachable}")
        return found

    def directory(self, path: PurePosixPath) -> str:
        """As `real`, but a directory outside the roots is left as it is: a program may start anywhere."""
        if path is self.roots[0].shown:  # almost always
            return self.workspace
        path = sandbox_path(path)
        return self._within(path) or str(path)

    def shown(self, path: str) -> str:
        """The user's name for a path the agent told; what lies outside the roots is kept."""
        for root in self.roots:
            if PurePosixPath(path).is_relative_to(root.real):
                return str(root.shown / PurePosixPath(path).relative_to(root.real))
        return path

    def told(self, message: str) -> str:
        """A message of the agent with its names for the roots replaced by the users'."""
        for root in self.roots:
            if root.real != root.shown:
                message = message.replace(str(root.real), str(root.shown))
        return message

    def _within(self, path: PurePosixPath) -> str | None:
        for root in self.roots:
            if path.is_relative_to(root.shown):
                return str(root.real / path.relative_to(root.shown))
        return None
