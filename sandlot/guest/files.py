"""The verbs on single files: stat, list, read, write, mkdir, move. Each is a generator for `tasks.Task`."""

from __future__ import annotations

import errno
import os
import stat as modes

from . import refusal
from .beneath import open_directory
from .refusal import Refusal, from_os
from .tasks import INPUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

    from .beneath import Place, Roots
    from .tasks import Work

PIECE = 65536
_KINDS = {
    modes.S_IFREG: "file",
    modes.S_IFDIR: "directory",
    modes.S_IFLNK: "symlink",
    modes.S_IFIFO: "fifo",
    modes.S_IFSOCK: "socket",
    modes.S_IFCHR: "device",
    modes.S_IFBLK: "device",
}
_LARGEST = 2**62

CHANGED = frozenset((errno.ENOENT, errno.EINVAL, errno.ELOOP, errno.ENOTDIR, errno.ENXIO))
"""What the kernel says of a name that meant another kind of file a moment ago: readlink(2), open(2)."""


def entry(name: str, path: str, found: os.stat_result, directory: int) -> Dict[str, Any]:
    """What `stat` and `list` tell of one file: {name, path, kind, size, mode, mtime, target?}."""
    told: Dict[str, Any] = {
        "name": name,
        "path": path,
        "kind": _KINDS.get(modes.S_IFMT(found.st_mode), "other"),
        "size": found.st_size,
        "mode": modes.S_IMODE(found.st_mode),
        "mtime": found.st_mtime,
    }
    if told["kind"] == "symlink":
        told["target"] = os.readlink(name, dir_fd=directory)
    return told


def stat(roots: Roots, request: Dict[str, Any]) -> Work:
    """`stat {path}`: the thing itself, not what a link means."""
    yield from ()
    with _place(roots, request) as place:
        told = entry(place.name, place.path, place.stat(), place.directory)
        return {**told, "name": place.path.rstrip("/").rpartition("/")[2] or "/"}


def listed(roots: Roots, request: Dict[str, Any]) -> Work:
    """`list {path}`: an event {"entry": ...} for each name, in no order, without what vanishes meanwhile."""
    count = 0
    with _place(roots, request) as place:
        directory = place.open(os.O_RDONLY | os.O_DIRECTORY)
        try:
            with os.scandir(directory) as names:
                for found in names:
                    try:
                        status = found.stat(follow_symlinks=False)
                        told = entry(found.name, f"{place.path.rstrip('/')}/{found.name}", status, directory)
                    except OSError as error:
                        if error.errno in CHANGED:
                            continue
                        raise
                    count += 1
                    yield {"entry": told}
        finally:
            os.close(directory)
    return {"entries": count}


def read(roots: Roots, request: Dict[str, Any]) -> Work:
    """`read {path, offset, length}`: OUTPUT up to the end or *length*; DONE tells the file's size."""
    offset, length = _count(request, "offset", 0), _count(request, "length", _LARGEST)
    with _place(roots, request) as place:
        descriptor = place.open(os.O_RDONLY)
        try:
            size = regular(descriptor, place.path).st_size
            end = offset + length
            while offset < end:
                piece = os.pread(descriptor, min(PIECE, end - offset), offset)
                if not piece:
                    break
                offset += len(piece)
                yield piece
        finally:
            os.close(descriptor)
    return {"size": size}


def write(roots: Roots, request: Dict[str, Any]) -> Work:
    """`write {path, mode, size}`: INPUT becomes the file, whole or not at all; what was there is replaced.

    A *size* that the input does not have is refused (invalid), and so is anything there but a file or a link.
    """
    mode = refusal.field(request, "mode", int, 0o644) & 0o777
    size = _count(request, "size", -1)
    with _place(roots, request) as place:
        _replaceable(place)
        draft = temporary("write")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(draft, flags, 0o600, dir_fd=place.directory)
        try:
            written = yield from _received(descriptor)
            if size not in (-1, written):
                raise Refusal("invalid", f"{place.path}: {written} bytes came where {size} were announced")
            os.fchmod(descriptor, mode)
            os.rename(draft, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
        except BaseException:
            os.unlink(draft, dir_fd=place.directory)
            raise
        finally:
            os.close(descriptor)
    return {"size": written}


def make_directory(roots: Roots, request: Dict[str, Any]) -> Work:
    """`mkdir {path, parents}`: with *parents*, what is missing above is made, and there being one is fine."""
    yield from ()
    parents = refusal.field(request, "parents", bool, False)
    path = refusal.field(request, "path", str)
    if parents:
        root, names = roots.locate(path)
        os.close(ensure_directory(root, names, path))
        return {}
    with roots.place(path) as place:
        if place.is_root:
            raise Refusal("already_exists", f"{path} is there already")
        os.mkdir(place.name, 0o755, dir_fd=place.directory)
    return {}


def move(roots: Roots, request: Dict[str, Any]) -> Work:
    """`move {path, to}`: rename(2), which replaces a file, and a directory only when it is empty."""
    yield from ()
    with _place(roots, request) as source, roots.place(refusal.field(request, "to", str)) as target:
        if source.is_root or target.is_root:
            raise Refusal("invalid", f"{source.path} cannot become {target.path}: one of them is a root")
        try:
            os.rename(source.name, target.name, src_dir_fd=source.directory, dst_dir_fd=target.directory)
        except OSError as error:
            if error.errno == errno.EXDEV:  # which elsewhere means an escape
                text = f"{source.path} and {target.path} are on different file systems; copy and remove"
                raise Refusal("unsupported", text) from None
            raise from_os(error, f"{source.path} to {target.path}") from None
    return {}


def ensure_directory(root: int, names: Tuple[str, ...], path: str) -> int:
    """An O_PATH descriptor of the directory, made with all that is missing above. Raises Refusal."""
    try:
        for depth in range(len(names)):
            with_parent = open_directory(root, names[:depth])
            try:
                os.mkdir(names[depth], 0o755, dir_fd=with_parent)
            except FileExistsError:
                pass
            finally:
                os.close(with_parent)
        return open_directory(root, names)
    except OSError as error:
        raise from_os(error, path) from None


def regular(descriptor: int, path: str) -> os.stat_result:
    """The status of an open regular file; raises Refusal for anything else."""
    found = os.fstat(descriptor)
    if modes.S_ISDIR(found.st_mode):
        raise Refusal("is_directory", f"{path} is a directory; list it or get it as an archive")
    if not modes.S_ISREG(found.st_mode):
        kind = _KINDS.get(modes.S_IFMT(found.st_mode), "special file")
        raise Refusal("invalid", f"{path} is a {kind}, and only regular files are read")
    return found


HIDDEN = ".sandlot-"
"""What names of the agent's own drafts begin with; a watch does not tell of them."""


def temporary(purpose: str) -> str:
    """A name nobody has guessed; the guest may see it, so nothing may depend on its staying."""
    return f"{HIDDEN}{purpose}-{os.urandom(8).hex()}"


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, however the kernel cuts it."""
    while data:
        data = data[os.write(descriptor, data) :]


def _received(descriptor: int) -> Any:
    written = 0
    while True:
        data = yield INPUT
        if data is None:
            return written
        write_all(descriptor, data)
        written += len(data)


def _replaceable(place: Place) -> None:
    try:
        kind = modes.S_IFMT(place.stat().st_mode)
    except FileNotFoundError:
        return
    if kind == modes.S_IFDIR:
        raise Refusal("is_directory", f"{place.path} is a directory")
    if kind not in (modes.S_IFREG, modes.S_IFLNK):
        raise Refusal("invalid", f"{place.path} is a {_KINDS.get(kind, 'special file')}; remove it first")


def _place(roots: Roots, request: Dict[str, Any]) -> Place:
    return roots.place(refusal.field(request, "path", str))


def _count(request: Dict[str, Any], name: str, default: int) -> int:
    value: int = refusal.field(request, name, int, default)
    if value != default and not 0 <= value <= _LARGEST:
        raise Refusal("invalid", f"field {name!r} is {value}; it must be from 0 to {_LARGEST}")
    return value
