"""Trying kept workspaces out: a process of its own mounts one where nobody sees it, uses and unmounts it.

For an image this is also its finish: what mkfs puts into an empty file system is removed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

from ..contracts.errors import EngineUnavailable
from ..walls import mounts, namespaces, users
from . import attaching

_BOOTSTRAP = (
    "import sys; sys.path.append(sys.argv[1]); from sandlot.keeper.trial import main; main(sys.argv[2:])"
)
_TIMEOUT = 30.0
_NODES_BYTES, _NODES_COUNT = 65_536, 16
_NEEDS = {
    "image": "it needs root with CAP_SYS_ADMIN and loop devices; a directory may do",
    "directory": "it needs root, or user namespaces (kernel.unprivileged_userns_clone)",
}
_BY_MKFS = "lost+found"


def run(kind: Literal["image", "directory"], store: int, image: int = -1) -> None:
    """Try a kept workspace of *kind* below the open directory *store*; the file *image* holds the image.

    Blocks. Raises EngineUnavailable with the cause where it does not work.
    """
    if kind == "image" and os.geteuid() != 0:
        raise EngineUnavailable("images need root, who alone may mount them: use a directory")
    if sys.platform != "linux" or not sys.executable:
        raise EngineUnavailable(f"kept workspaces need Linux and an interpreter; this is {sys.platform}")
    interpreter = [os.path.realpath(sys.executable), "-I", "-S", "-c"]
    package_parent = str(Path(__file__).resolve().parents[2])
    try:
        tried = subprocess.run(
            [*interpreter, _BOOTSTRAP, package_parent, kind, str(store), str(image)],
            env={},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=[descriptor for descriptor in (store, image) if descriptor >= 0],
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineUnavailable(
            f"a kept {kind} was not mounted within {_TIMEOUT:g} s: look at dmesg"
        ) from error
    if tried.returncode:
        said = tried.stderr.decode("utf-8", "replace").strip()[-500:]
        raise EngineUnavailable(f"a kept {kind} cannot be mounted here ({said}): {_NEEDS[kind]}")


def main(arguments: Sequence[str]) -> NoReturn:
    """The program: kind, and the descriptors of the store and the image. Says why it failed."""
    kind, store, image = arguments[0], int(arguments[1]), int(arguments[2])
    try:
        _leave_host()
        _try_image(store, image) if kind == "image" else _try_directory(store)
    except OSError as error:
        sys.exit(str(error))
    sys.exit(0)


def _leave_host() -> None:
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        namespaces.leave(["mnt"])
    else:
        namespaces.leave(["user", "mnt"])
        users.write_maps("self", [users.IdMap(uid, uid)], [users.IdMap(gid, gid)], deny_setgroups=True)
    mounts.make_private()


def _try_image(store: int, image: int) -> None:
    place = os.readlink(f"/proc/self/fd/{store}")
    mounts.device_nodes(place, mounts.tmpfs_options(_NODES_BYTES, _NODES_COUNT, 0o700, 0, 0))
    target = f"{place}/image"
    os.mkdir(target)
    attaching.mount_image(image, target, place)
    os.rmdir(f"{target}/{_BY_MKFS}")
    _use(target)
    mounts.unmount(target)


def _try_directory(store: int) -> None:
    place = os.readlink(f"/proc/self/fd/{store}")
    # Opened again here: what was opened in another mount namespace cannot be bound (mount(2), EINVAL).
    directory = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    attaching.mount_directory(directory, place)
    kept = os.ST_NOSUID | os.ST_NODEV
    if os.statvfs(place).f_flag & kept != kept:
        raise OSError("its mount lacks nosuid and nodev")
    mounts.unmount(place)


def _use(target: str) -> None:
    path = f"{target}/trial"
    with open(path, "xb") as file:
        file.write(path.encode())
        file.flush()
        os.fsync(file.fileno())
    os.unlink(path)
