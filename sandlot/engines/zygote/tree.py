"""What a zygote and its boxes see of the host, and what its boxes have of their own (pure).

The root is in memory and read-only, and so is all that is shown in it. A box mounts over it what is its own:
/workspace, /tmp, /dev/shm, /dev/pts and /proc, where each entry of `masked` is covered.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandlot.environments.environment import Environment
from sandlot.walls.tree import Entry

from .. import inside
from ..layout import ETC, MASKED, SHOWN_OF_ETC, Layout, aliases

AGENT = "/run/agent.pyz"
LIBRARY = "/run/init.so"
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
    ("/var/tmp", "/tmp"),
)
ZYGOTE_VARIABLES = {
    "PATH": inside.PATH,
    "LANG": "C.UTF-8",
    "HOME": "/tmp",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""Numerical libraries are told to load with one thread: a process with more cannot be forked safely."""

_ZYGOTES_OWN = 64 * 2**20  # bytes of /tmp while packages load; boxes have another
# Where a box mounts its own; what it does not mount over stays empty and closed.
_EMPTY = (
    ("/workspace", "700"),
    ("/dev/shm", "755"),
    ("/dev/pts", "755"),
    ("/run/empty", "555"),
)


def entries(
    environment: Environment, layout: Layout, agent: str, library: str | None = None
) -> tuple[Entry, ...]:
    """The root for boxes of *environment*.

    agent, library: the host paths of the agent's archive and of environments.native.library.
    """
    return (
        *_directories(),
        *_system(layout),
        *(("link", path, target) for path, target in aliases(bind.box for bind in environment.binds)),
        *(("file", path, content) for path, content in ETC.items()),
        *(("show", bind.box, str(bind.host)) for bind in environment.binds),
        ("show", AGENT, agent),
        *((("show", LIBRARY, library),) if library else ()),
        ("proc", "/proc", ""),
        ("memory", "/tmp", str(_ZYGOTES_OWN)),
    )


def masked(layout: Layout) -> list[list[object]]:
    """The entries of /proc that boxes do not see, each with whether it is a directory."""
    return [[name, name in layout.proc_trees] for name in sorted(layout.proc.intersection(MASKED))]


def _directories() -> Iterator[Entry]:
    for path, mode in _EMPTY:
        yield "directory", path, mode


def _system(layout: Layout) -> Iterator[Entry]:
    yield "show", "/usr", "/usr"
    for name, target in layout.links:
        yield "link", f"/{name}", target
    for name in layout.trees:
        yield "show", f"/{name}", f"/{name}"
    for name in SHOWN_OF_ETC:
        if name in layout.etc:
            yield "show", f"/etc/{name}", f"/etc/{name}"
    for name in _DEVICES:
        yield "device", f"/dev/{name}", f"/dev/{name}"
    for path, target in _LINKS:
        yield "link", path, target
