"""What sandlot's times are compared with: the same machine doing the bare thing, in the same rounds."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from . import spawn
from .benchmark import Series, elapsed, repeated

PYTHON = "/usr/bin/python3"
"""The system's interpreter by its absolute path: a search on PATH or a shim would be measured too."""
SIZE = 16 * 2**20
"""Bytes of a transfer."""

_PASS = ("-I", "-S", "-c", "pass")
# The namespaces, and the mounts a Python needs: what anybody would write who uses bubblewrap by hand.
_NAMESPACES = (
    "--unshare-user", "--disable-userns", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--unshare-pid", "--as-pid-1", "--unshare-net", "--die-with-parent", "--new-session", "--clearenv",
)  # fmt: skip
_MOUNTS = ("--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")  # noqa: S108 - inside the box
_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def series(names: Iterable[str], scratch: Path) -> tuple[Series, ...]:
    """The baselines called *names*; those this machine has no program for are left out."""
    found = ((name, _ARGV[name](scratch)) for name in names)
    return tuple(_spawned(name, argv) for name, argv in found if argv is not None)


def python() -> tuple[str, ...] | None:
    """`PYTHON -I -S -c pass`: B of the goals."""
    return (PYTHON, *_PASS) if os.access(PYTHON, os.X_OK) else None


def bwrap() -> tuple[str, ...] | None:
    """The same behind the namespaces of engine bubblewrap, without an agent."""
    found = shutil.which("bwrap")
    if found is None or python() is None:
        return None
    return (os.path.realpath(found), *_NAMESPACES, *_MOUNTS, *_top(), "--", PYTHON, *_PASS)


def _top() -> tuple[str, ...]:
    """The top-level names of /usr's trees: links where the layout is merged, trees where it is not."""
    words: list[str] = []
    for name in _TOP:
        path = f"/{name}"
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            words += ["--ro-bind", path, path]
    return tuple(words)


def _true() -> tuple[str, ...] | None:
    found = shutil.which("true")
    return (os.path.realpath(found),) if found else None


def _copy(scratch: Path) -> tuple[str, ...] | None:
    found = shutil.which("cp")
    if found is None:
        return None
    source = scratch / "original"
    if not source.exists():
        source.write_bytes(os.urandom(SIZE))
    return (os.path.realpath(found), str(source), str(scratch / "copy"))


def _spawned(name: str, argv: Sequence[str]) -> Series:
    async def sample() -> float:
        begun = time.perf_counter()
        spawn.to_end(argv)
        return elapsed(begun)

    return repeated(name, sample)


_ARGV: dict[str, Callable[[Path], tuple[str, ...] | None]] = {
    "python": lambda _scratch: python(),
    "bwrap": lambda _scratch: bwrap(),
    "true": lambda _scratch: _true(),
    "interpreter": lambda _scratch: (sys.executable, "-c", "pass"),
    "cp": _copy,
}

DOES = {
    "python": f"`{PYTHON} -I -S -c pass`: the bare interpreter, from start to end",
    "bwrap": "the same in `bwrap` with the namespaces of engine bubblewrap and a handful of mounts, no agent",
    "true": "`/bin/true`, started with posix_spawn(3) and waited for",
    "interpreter": "`-c pass` by the interpreter that runs sandlot, with its site",
    "cp": f"`cp` of a file of {SIZE >> 20} MiB onto another in a temporary directory",
}
"""What each baseline is, in words."""
