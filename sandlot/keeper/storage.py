"""Workspaces that outlive their boxes, as the service sees them: made, listed and removed by name.

`NAME.img` is an image, `NAME/` a directory, in one directory that nobody else may enter. Mounting them is the
keeper's (`keeping`): the service never looks into one, for boxes write them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..contracts.errors import Conflict, DiskFull, EngineUnavailable, InvalidSpec, NotFound, SandlotError
from ..contracts.paths import identifier
from ..contracts.spec import WorkspaceKind
from ..guest import removal
from ..guest.files import HIDDEN
from . import images, trial
from .images import Template
from .keeping import SUFFIX

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_TEMPLATES = 16
_SMALLEST = (images.LEAST_BYTES, 100)


class WorkspaceStore:
    """The kept workspaces below one directory. Every method blocks; any thread may call any of them."""

    def __init__(self, directory: Path) -> None:
        """Use *directory*, which is made (0700) when it is missing.

        Raises EngineUnavailable when others could write it or a directory it lies in.
        """
        self._path = os.path.realpath(directory)
        os.makedirs(os.path.dirname(self._path), 0o755, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._path, 0o700)
        _refuse_open(self._path)
        self._kinds: dict[WorkspaceKind, str | None] = {}
        self._templates: dict[tuple[int, int], Template] = {}
        self._proving = threading.Lock()

    def kinds(self) -> Mapping[WorkspaceKind, str | None]:
        """The kinds of kept workspaces: None for one proven to work here, else the cause in words.

        The proof is made once; it takes about 0.1 s.
        """
        with self._proving, self._opened() as directory:
            if not self._kinds:
                self._kinds[WorkspaceKind.IMAGE] = _cause(lambda: self._template(directory, *_SMALLEST))
                self._kinds[WorkspaceKind.DIRECTORY] = _cause(lambda: trial.run("directory", directory))
            return dict(self._kinds)

    def create(self, name: str, kind: WorkspaceKind, size: int, inodes: int) -> None:
        """A new, empty workspace; *size* in bytes and *inodes* bound an image, nothing bounds a directory.

        The first image of a size takes 0.1 s, every other one less than a millisecond. Raises Conflict when
        the name is taken, DiskFull, InvalidSpec, Unsupported for bounds an image cannot have,
        EngineUnavailable.
        """
        identifier(name, "workspace")
        with self._opened() as directory:
            if _kind(directory, name) is not None:
                raise _taken(name)
            if kind is WorkspaceKind.DIRECTORY:
                _make_directory(directory, name)
            elif kind is WorkspaceKind.IMAGE:
                _demand_room(directory, name, size)
                with self._proving:
                    template = self._template(directory, size, inodes)
                _make_image(directory, name, template)
            else:
                raise InvalidSpec(f"a workspace of kind {kind.value} is not kept: use image or directory")

    def blank(self, size: int, inodes: int) -> int:
        """The descriptor of a new, empty image of these bounds that has no name: closed, it is gone.

        Raises as `create`.
        """
        with self._opened() as directory:
            with self._proving:
                template = self._template(directory, size, inodes)
            return _unnamed_image(directory, template)

    def adopt(self, name: str, image: int) -> None:
        """Let *image*, made by `blank`, be the workspace *name*; one that is there was never used, and goes.

        Raises Conflict when *image* has a name, DiskFull.
        """
        identifier(name, "workspace")
        status = os.fstat(image)
        if status.st_nlink:
            raise Conflict(f"the image meant for workspace {name!r} has a name already: make another one")
        with self._opened() as directory:
            _demand_room(directory, name, status.st_size)
            try:
                _give_name(directory, name, image)
            except Conflict:  # left by an attempt that failed
                os.unlink(name + SUFFIX, dir_fd=directory)
                _give_name(directory, name, image)

    def remove(self, name: str) -> None:
        """Delete a workspace and all that is in it; one that is not there is no error.

        Its box must have ended. Never follows a link; OSError when something resists.
        """
        identifier(name, "workspace")
        with self._opened() as directory, contextlib.suppress(FileNotFoundError):
            kind = _kind(directory, name)
            if kind is WorkspaceKind.IMAGE:
                os.unlink(name + SUFFIX, dir_fd=directory)
            elif kind is WorkspaceKind.DIRECTORY:
                _discard(directory, name)

    def names(self) -> list[str]:
        """The workspaces there are, sorted."""
        with self._opened() as directory, os.scandir(directory) as entries:
            return sorted({name for name in map(_name_of, entries) if name is not None})

    def kind_of(self, name: str) -> WorkspaceKind:
        """What a workspace lies on. Raises NotFound."""
        identifier(name, "workspace")
        with self._opened() as directory:
            kind = _kind(directory, name)
        if kind is None:
            raise NotFound(f"there is no workspace {name!r}: create it first")
        return kind

    def sweep(self) -> int:
        """Finish the removals that a crash cut short; how many."""
        with self._opened() as directory:
            left = [name for name in os.listdir(directory) if name.startswith(HIDDEN)]
            for name in left:
                with contextlib.suppress(FileNotFoundError):
                    _discard(directory, name)
            return len(left)

    def _template(self, directory: int, size: int, inodes: int) -> Template:
        # The latest last: sizes are asked for from outside, and only so many are remembered.
        template = self._templates.pop((size, inodes), None)
        self._templates[size, inodes] = template or images.make_template(directory, size, inodes)
        if len(self._templates) > _TEMPLATES:
            del self._templates[next(iter(self._templates))]
        return self._templates[size, inodes]

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        directory = os.open(self._path, _DIRECTORY)
        try:
            yield directory
        finally:
            os.close(directory)


def _refuse_open(path: str) -> None:
    """Raise EngineUnavailable unless *path* is ours alone, and nobody else can put another in its place."""
    status = os.stat(path, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
        raise EngineUnavailable(f"{path} is not a directory of ours alone: choose another data directory")
    os.chmod(path, 0o700)
    while path != "/":
        path = os.path.dirname(path)
        status = os.stat(path)
        is_shared = status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX
        if is_shared or status.st_uid not in (0, os.geteuid()):
            raise EngineUnavailable(f"{path} can be written by others: choose another data directory")


def _cause(proof: Callable[[], object]) -> str | None:
    try:
        proof()
    except (SandlotError, OSError) as error:
        return str(error)
    return None


def _kind(directory: int, name: str) -> WorkspaceKind | None:
    """What lies under *name*; a file or a directory of another shape is no workspace."""
    for file, is_right, kind in (
        (name + SUFFIX, stat.S_ISREG, WorkspaceKind.IMAGE),
        (name, stat.S_ISDIR, WorkspaceKind.DIRECTORY),
    ):
        with contextlib.suppress(FileNotFoundError):
            if is_right(os.stat(file, dir_fd=directory, follow_symlinks=False).st_mode):
                return kind
    return None


def _name_of(entry: os.DirEntry[str]) -> str | None:
    if entry.name.startswith("."):
        return None
    if entry.is_dir(follow_symlinks=False):
        return entry.name
    is_image = entry.is_file(follow_symlinks=False) and entry.name.endswith(SUFFIX)
    return entry.name.removesuffix(SUFFIX) if is_image else None


def _make_directory(directory: int, name: str) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=directory)
    except FileExistsError:
        raise _taken(name) from None
    except OSError as error:
        raise _full(error) from error


def _demand_room(directory: int, name: str, size: int) -> None:
    # An image may grow to its whole size: what could not come true even now is not promised.
    free = os.fstatvfs(directory)
    if free.f_bavail * free.f_frsize < size:
        raise DiskFull(f"less than {size} bytes are free for workspace {name!r}: free some disk or ask less")


def _make_image(directory: int, name: str, template: Template) -> None:
    image = _unnamed_image(directory, template)
    try:
        _give_name(directory, name, image)
    finally:
        os.close(image)


def _unnamed_image(directory: int, template: Template) -> int:
    image = images.unnamed_file(directory)
    try:
        template.write(image)
    except OSError as error:
        os.close(image)
        raise _full(error) from error
    return image


def _give_name(directory: int, name: str, image: int) -> None:
    try:
        os.link(f"/proc/self/fd/{image}", name + SUFFIX, dst_dir_fd=directory, follow_symlinks=True)
    except FileExistsError:
        raise _taken(name) from None
    except OSError as error:
        raise _full(error) from error


def _discard(directory: int, name: str) -> None:
    for _ in removal.discard(directory, name):
        pass


def _taken(name: str) -> Conflict:
    return Conflict(f"there is a workspace {name!r} already: remove it or choose another name")


def _full(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"no room for a workspace ({error.strerror}): free some disk")
    return error
