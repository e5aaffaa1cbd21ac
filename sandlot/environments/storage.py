"""Files and folders of ours on the host: written whole, readable by every box, writable by nobody else."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sandlot import settings
from sandlot.contracts.errors import StartFailed

_ASIDE = ".aside-"
_WEEK = 7 * 86400.0


def write_whole(path: Path, content: bytes, *, once: bool = False) -> None:
    """Make *content* the file *path*, 0644, in a folder of 0755: readers see the old file or the new one.

    With *once* a file that is there by now stays: a box that is being started may be about to show it.
    Raises StartFailed when the folder cannot be written.
    """
    shared_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        if once:
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
            os.unlink(temporary)
        else:
            os.replace(temporary, path)
    except OSError as cause:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise StartFailed(f"{path} cannot be written: {cause.strerror}; free some space") from cause


def keep(path: Path, kind: str, make: Callable[[], bytes]) -> None:
    """Have what *make* gives at *path*, made unless it is there; older ones of its *kind*, a pattern, retire.

    Raises StartFailed when it cannot be written, and what *make* raises.
    """
    if not path.exists():
        write_whole(path, make(), once=True)
        _retire(path, kind)


def cached(name: str, kind: str, make: Callable[[], bytes]) -> bytes:
    """What *make* gives, made once for all data directories of this user, where there is a place for that.

    Raises what *make* raises.
    """
    with contextlib.suppress(StartFailed, OSError):
        return (shared_folder(settings.cache_directory()) / name).read_bytes()
    made = make()
    with contextlib.suppress(StartFailed):  # a full cache costs time, and nobody a box
        keep(shared_folder(settings.cache_directory()) / name, kind, lambda: made)
    return made


def _retire(kept: Path, pattern: str) -> None:
    """Delete *kept*'s predecessors, files beside it that match *pattern*, when nobody made them for a week.

    Who still needs one makes it again.
    """
    for old in kept.parent.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            if old != kept and time.time() - old.stat().st_mtime > _WEEK:
                old.unlink()


def shared_folder(path: Path) -> Path:
    """*path* as a folder of 0755 that only this user (or root) can change.

    What lies in it ends up inside boxes: a folder that others may write to is refused with StartFailed.
    """
    advice = "set SANDLOT_DATA_DIRECTORY to a folder of your own"
    try:
        if not path.exists():
            shared_folder(path.parent)
            path.mkdir(mode=0o755, exist_ok=True)
            path.chmod(0o755)  # whatever the umask is, boxes must be able to read it
        status = path.stat()
    except OSError as cause:
        raise StartFailed(f"{path} cannot be made: {cause.strerror}; {advice}") from cause
    if sys.platform == "win32":  # which has neither owners nor modes to look at
        return path
    shared = stat.S_IMODE(status.st_mode) & 0o022 and not status.st_mode & stat.S_ISVTX
    if status.st_uid not in (0, os.geteuid()) or shared:
        raise StartFailed(f"{path} can be written by others: {advice}")
    return path


@contextlib.contextmanager
def staging_in(home: Path) -> Iterator[Path]:
    """A folder beside the finished ones, gone again at the end unless it was renamed.

    It is locked while somebody works in it, so that `sweep` tells it from what a killed process left.
    """
    staging = shared_folder(home / (_ASIDE + secrets.token_hex(8)))
    with _locked(staging):
        try:
            yield staging
        finally:
            if staging.exists():
                _discard(staging)


def set_aside(folder: Path) -> None:
    """Take *folder* out of sight in one step, for `sweep` to delete. Raises FileNotFoundError."""
    os.rename(folder, folder.parent / (_ASIDE + secrets.token_hex(8)))


def sweep(home: Path) -> None:
    """Delete what was set aside, and what a killed process left half-built."""
    for folder in home.glob(_ASIDE + "*"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), _locked(folder):
            _discard(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold *folder*'s lock. Raises BlockingIOError when another process has it."""
    import fcntl  # not on Windows, where no environment is built

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _discard(folder: Path) -> None:
    """Delete a tree of ours whose folders may be read-only."""
    for _path, _folders, _files, descriptor in os.fwalk(folder):
        os.fchmod(descriptor, 0o700)
    shutil.rmtree(folder)
