"""What the keeper's tests look at from outside: processes by pidfd, control groups, mounts, descriptors."""

from __future__ import annotations

import fnmatch
import os
import select
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sandlot.keeper import census
from sandlot.keeper.launch import Identity, Launch, WorkspaceMount
from sandlot.keeper.uids import FIRST_UID

IS_ROOT = os.geteuid() == 0
IDENTITY: Identity = "box" if IS_ROOT else "own"
SLEEP = ("/bin/sleep", "1000")


def launch(
    *argv: str, workspace: WorkspaceMount | None = None, memory: int | None = None, pids: int | None = None
) -> Launch:
    """A launch that this user's keeper can carry out."""
    return Launch(argv, {}, IDENTITY, memory=memory, pids=pids, workspace=workspace)


def family(pid: int) -> list[int]:
    """*pid* and all that descend from it, as the host counts."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def members(stub: int) -> set[int]:
    """All that descend from *stub*, itself included; what is dead and not yet reaped by its warden is not."""
    while True:
        try:
            return {pid for pid in family(stub) if not is_dead(pid)}
        except (FileNotFoundError, ProcessLookupError):  # one ended while it was looked at: look again
            continue


def status_of(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split("\t", 1)[1] for line in lines if line.startswith(f"{name}:"))


def is_dead(pid: int) -> bool:
    try:
        return status_of(pid, "State").startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


def watched(pids: Iterable[int]) -> list[int]:
    """A pidfd for each of *pids* that has not ended yet."""
    found = []
    for pid in pids:
        with suppress(ProcessLookupError):
            found.append(os.pidfd_open(pid))
    return found


def are_gone(pidfds: Sequence[int], seconds: float) -> bool:
    """Whether every process ends within *seconds*; closes the pidfds."""
    deadline = time.monotonic() + seconds
    ended = []
    for pidfd in pidfds:
        left = max(0.0, deadline - time.monotonic())
        ended.append(bool(select.select([pidfd], [], [], left)[0]))
        os.close(pidfd)
    return all(ended)


def groups_of(stub: int) -> list[str]:
    """The control groups left of the keeper whose stub had this pid."""
    # os.walk passes over what is removed meanwhile: others have groups too.
    walked = os.walk("/sys/fs/cgroup")
    wanted = f"sandlot-*-{stub}-*-*"
    return sorted(f"{place}/{name}" for place, names, _ in walked for name in fnmatch.filter(names, wanted))


@dataclass(frozen=True)
class Traces:
    """What a keeper could leave in this process or on the host."""

    mounts: str
    descriptors: frozenset[str]
    run_directory: tuple[str, ...]


def traces(run_directory: Path) -> Traces:
    """The traces there are now."""
    left = sorted(str(path.relative_to(run_directory)) for path in _files(run_directory))
    descriptors = frozenset(f"{fd} {target}" for fd, target in _descriptors())
    return Traces(Path("/proc/self/mountinfo").read_text(), descriptors, tuple(left))


def _files(run_directory: Path) -> list[Path]:
    files = [path for path in run_directory.rglob("*") if path.is_file()]
    # A lock on uids stays while processes live under them, and a keeper elsewhere may have some now.
    return files if not _is_inhabited() else [path for path in files if path.parent.name != "uids"]


def _is_inhabited() -> bool:
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        return any(uid >= FIRST_UID for uid in census.living_uids(proc))
    finally:
        os.close(proc)


def _descriptors() -> Iterator[tuple[str, str]]:
    for name in os.listdir("/proc/self/fd"):
        try:
            yield name, os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the one that listed the directory
            continue


@contextmanager
def new_run_directory() -> Iterator[Path]:
    """A run directory that boxes of other uids can walk through, as /run/sandlot is."""
    with tempfile.TemporaryDirectory(prefix="sandlot-keeper-", dir="/tmp") as name:
        os.chmod(name, stat.S_IRWXU | (0o011 if IS_ROOT else 0))
        yield Path(name)


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose ends are closed at the end, if they are still open then."""
    ends = os.pipe()
    files = [os.fdopen(end, mode, buffering=0) for end, mode in zip(ends, ("rb", "wb"), strict=True)]
    try:
        yield ends
    finally:
        for file in files:
            file.close()


def loops_below(store: Path) -> list[str]:
    """The images in *store* that some loop device still has."""
    found = [path.read_text().strip() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    return sorted(image for image in found if image.startswith(f"{store}/"))
