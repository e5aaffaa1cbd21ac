"""What sandlot's times are compared with: the same machine doing the bare thing, in the same rounds."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandlot.contracts.errors import SandlotError
from sandlot.environments import registry

from . import kernels, spawn
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


@dataclass(frozen=True, slots=True)
class Means:
    """What baselines need: a directory to write in, and the name of the environment with numpy and pandas."""

    scratch: Path
    environment: str = "data"


@contextmanager
def opened(names: Sequence[str], means: Means) -> Iterator[tuple[Series, ...]]:
    """The baselines called *names* for the length of a block; what they need is kept running in it.

    Those this machine has no program for are left out.
    """
    with ExitStack() as held:
        kept = (name for name in names if name in kernels.KINDS and kernels.is_here())
        running = [held.enter_context(kernels.KINDS[name](name)) for name in kept]
        yield (*series((name for name in names if name in _ARGV), means), *running)


def series(names: Iterable[str], means: Means) -> tuple[Series, ...]:
    """The baselines called *names* that are programs from start to end, where this machine has them."""
    found = ((name, _ARGV[name](means)) for name in names)
    return tuple(_spawned(name, argv) for name, argv in found if argv is not None)


def missing(names: Iterable[str], present: Iterable[Series]) -> tuple[str, ...]:
    """What to say of the baselines called *names* that are not *present*."""
    there = {each.name for each in present}
    return tuple(
        f"without its baseline {name}: {_NEEDS.get(name, 'this machine has no program for it')}"
        for name in names
        if name not in there
    )


def python() -> tuple[str, ...] | None:
    """`PYTHON -I -S -c pass`: B of the goals."""
    return (PYTHON, *_PASS) if os.access(PYTHON, os.X_OK) else None


def bwrap() -> tuple[str, ...] | None:
    """The same behind the namespaces of engine bubblewrap, without an agent."""
    return _boxed((), (PYTHON, *_PASS)) if python() is not None else None


def importing(module: str, environment: str) -> tuple[str, ...] | None:
    """`python -I -c "import MODULE"` by the interpreter of *environment*, in raw bubblewrap.

    Boxed, because what an environment holds is code of others: it never runs with the rights of who measures.
    """
    try:
        found = registry.get(environment)
    except SandlotError:
        return None
    binds = [word for bind in found.binds for word in ("--ro-bind", str(bind.host), bind.box)]
    return _boxed(binds, (found.interpreter, "-I", "-c", f"import {module}"))


def _boxed(binds: Sequence[str], argv: Sequence[str]) -> tuple[str, ...] | None:
    found = shutil.which("bwrap")
    if found is None:
        return None
    return (os.path.realpath(found), *_NAMESPACES, *_MOUNTS, *_top(), *binds, "--", *argv)


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


def _copy(means: Means) -> tuple[str, ...] | None:
    found = shutil.which("cp")
    if found is None:
        return None
    source = means.scratch / "original"
    if not source.exists():
        source.write_bytes(os.urandom(SIZE))
    return (os.path.realpath(found), str(source), str(means.scratch / "copy"))


def _spawned(name: str, argv: Sequence[str]) -> Series:
    async def sample() -> float:
        begun = time.perf_counter()
        spawn.to_end(argv)
        return elapsed(begun)

    return repeated(name, sample)


_ARGV: dict[str, Callable[[Means], tuple[str, ...] | None]] = {
    "python": lambda _means: python(),
    "bwrap": lambda _means: bwrap(),
    "true": lambda _means: _true(),
    "interpreter": lambda _means: (sys.executable, "-c", "pass"),
    "cp": _copy,
    "import-numpy": lambda means: importing("numpy", means.environment),
    "import-pandas": lambda means: importing("pandas", means.environment),
}

_NEEDS = dict.fromkeys(kernels.KINDS, "it needs ipykernel here: pip install 'sandlot[bench]'")

DOES = {
    "python": f"`{PYTHON} -I -S -c pass`: the bare interpreter, from start to end",
    "bwrap": "the same in `bwrap` with the namespaces of engine bubblewrap and a handful of mounts, no agent",
    "true": "`/bin/true`, started with posix_spawn(3) and waited for",
    "interpreter": "`-c pass` by the interpreter that runs sandlot, with its site",
    "cp": f"`cp` of a file of {SIZE >> 20} MiB onto another in a temporary directory",
    "import-numpy": '`python -I -c "import numpy"` by the interpreter of the environment, in `bwrap` because '
    "packages of an environment never run with the rights of who measures; `bwrap` adds some milliseconds",
    "import-pandas": "the same with pandas",
    "ipykernel-cell": "`print(1)` in an ipykernel that runs, by jupyter_client's client, from the request "
    "to reply, output and idle status; both are packages of the interpreter that runs the bench",
    "ipykernel-start": "such a kernel, from its start to the result of its first cell",
}
"""What each baseline is, in words."""
