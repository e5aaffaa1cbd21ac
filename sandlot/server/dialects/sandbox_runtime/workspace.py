"""Names of files of a session: relative to its workspace, which programs see as /workspace (pure)."""

from __future__ import annotations

from pathlib import PurePosixPath

from starlette.exceptions import HTTPException

from sandlot.contracts.errors import InvalidSpec, PathEscape
from sandlot.contracts.paths import WORKSPACE, sandbox_path


def inside(name: str) -> PurePosixPath:
    """The path in the workspace that *name* means, the workspace itself for an empty one.

    Raises HTTPException (400) for `..`, for absolute names elsewhere and for what is no path.
    """
    try:
        path = sandbox_path(name.rstrip("/") or str(WORKSPACE))
    except (PathEscape, InvalidSpec) as error:
        raise _refused(error.message) from None
    if not path.is_relative_to(WORKSPACE):
        raise _refused(f"{name!r:.80} lies outside the workspace: give a name relative to it")
    return path


def file_inside(name: str) -> PurePosixPath:
    """As `inside`, for what must be a file. Raises HTTPException (400) for the workspace itself too."""
    path = inside(name)
    if path == WORKSPACE:
        raise _refused("it names the workspace itself: give the name of a file")
    return path


def shown(path: PurePosixPath) -> str:
    """What clients call *path*."""
    return str(path.relative_to(WORKSPACE))


def kind(name: str) -> str:
    """What a listing tells as `type`: the name's extension."""
    _, dot, extension = name.rpartition(".")
    return extension if dot else "unknown"


def _refused(why: str) -> HTTPException:
    return HTTPException(400, f"Invalid file path: {why}")
