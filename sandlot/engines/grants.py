"""Which limits a box gets: what was asked or a refusal, else the default where it can be enforced (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.quantity import Bytes
from sandlot.contracts.spec import DEFAULT_LIMITS, Isolation, Limits, Network, SandboxSpec, WorkspaceKind

_FEATURES = {
    "memory": Feature.LIMIT_MEMORY,
    "cpu": Feature.LIMIT_CPU,
    "pids": Feature.LIMIT_PIDS,
    "disk": Feature.LIMIT_DISK,
    "inodes": Feature.LIMIT_INODES,
}
_SIZE = Feature.LIMIT_DISK | Feature.LIMIT_INODES
_UNBOUNDED = "nothing bounds a workspace in a directory: leave disk and inodes out, or keep it in an image"
_LEAST_MEMORY = Bytes(32 * 2**20)  # an interpreter, its agent and a supervisor
_RANGES = {
    "cpu": (0.01, 4096),  # what control groups count by within a period of 100 ms
    "pids": (4, 2**22),  # the agent, and a program with its supervisor; PID_MAX_LIMIT, proc_sys_kernel(5)
    "open_files": (16, 10_000_000),  # what the agent needs to put up the walls
}
_SCRATCH = 64 * 2**20
# No promises, for they count a process or a user and not a box: they stop the plainest of bombs.
_MOST_PROCESSES = 2048
_MOST_DATA = 2**30


@dataclass(frozen=True, slots=True)
class Grant:
    """The limits in force for one box; None is no limit. Bytes, cores, counts."""

    memory: int | None
    cpu: float | None
    pids: int | None
    disk: int | None
    inodes: int | None
    output: int
    open_files: int

    @property
    def scratch(self) -> int:
        """Bytes for each directory in memory besides the workspace: /tmp and /dev/shm."""
        return _SCRATCH if self.memory is None else min(_SCRATCH, self.memory // 8)

    def rlimits(self) -> dict[str, int]:
        """The limits as each process has them, by the names of walls.rlimits."""
        limits = {"nofile": self.open_files, "core": 0, "nproc": self.pids or _MOST_PROCESSES}
        if self.memory is None:
            limits["data"] = _MOST_DATA
        return limits


def grant(spec: SandboxSpec, offered: Feature, *, engine: str, isolation: Isolation, hint: str = "") -> Grant:
    """The limits *spec* gets from an *engine* of that *isolation* with the features *offered*.

    Raises Unsupported for what was asked and is not offered, InvalidSpec for limits that contradict
    each other. Files in memory stay below the memory limit, so a full disk shows before a kill. What bounds
    a kept workspace was decided when that was made: an image's limits hold, a directory has none.
    """
    if spec.isolation is not None and spec.isolation > isolation:
        raise Unsupported(
            f"engine {engine} reaches isolation {isolation.name.lower()}, not the "
            f"{spec.isolation.name.lower()} asked: choose another engine (sandlot doctor lists them)"
        )
    if spec.image is not None:
        raise Unsupported(f"engine {engine} knows environments and no images: name an environment")
    offered = for_workspace(spec, offered)
    for feature in wanted(spec):
        is_unbounded = spec.workspace is not None and feature in _SIZE
        require(feature, offered, engine=engine, hint=_UNBOUNDED if is_unbounded else hint)
    limits = spec.limits.or_else(DEFAULT_LIMITS)
    memory = limits.memory if Feature.LIMIT_MEMORY in offered else None
    if memory is not None and memory < _LEAST_MEMORY:
        raise InvalidSpec(f"memory of {memory} is too little to start in: use {_LEAST_MEMORY} or more")
    _refuse_out_of_range(limits)
    return Grant(
        memory=_plain(memory),
        cpu=limits.cpu if Feature.LIMIT_CPU in offered else None,
        pids=limits.pids if Feature.LIMIT_PIDS in offered else None,
        disk=_plain(_disk(spec, limits.disk, memory)) if Feature.LIMIT_DISK in offered else None,
        inodes=limits.inodes if Feature.LIMIT_INODES in offered else None,
        output=int(limits.output or 2**20),
        open_files=limits.open_files or 1024,
    )


def _refuse_out_of_range(limits: Limits) -> None:
    for name, (least, most) in _RANGES.items():
        asked = getattr(limits, name)
        if asked is not None and asked < least:
            raise InvalidSpec(f"{name} of {asked:g} is too little to start in: use {least:g} or more")
        if asked is not None and asked > most:
            raise InvalidSpec(f"{name} of {asked} is more than can be counted: use {most} or less")


def for_workspace(spec: SandboxSpec, offered: Feature) -> Feature:
    """What of the features *offered* holds for a box with the workspace of *spec* (pure)."""
    if spec.workspace is None:
        return offered
    return offered | _SIZE if spec.workspace.kind is WorkspaceKind.IMAGE else offered & ~_SIZE


def wanted(spec: SandboxSpec) -> tuple[Feature, ...]:
    """What an engine must be able to enforce or do for *spec*, because it was asked."""
    found = [_FEATURES[name] for name in spec.limits.asked() if name in _FEATURES]
    found += [Feature.NETWORK_FULL] if spec.network is Network.FULL else []
    found += [Feature.MOUNTS] if spec.mounts else []
    return tuple(found)


def limit_features(controllers: frozenset[str]) -> Feature:
    """The limits that control groups with these *controllers* can enforce."""
    found = Feature.NOTHING
    for name in ("memory", "cpu", "pids"):
        found |= _FEATURES[name] if name in controllers else Feature.NOTHING
    return found


def _plain(amount: Bytes | None) -> int | None:
    # Bytes writes itself as "512 MiB", which no command line understands.
    return None if amount is None else int(amount)


def _disk(spec: SandboxSpec, disk: Bytes | None, memory: Bytes | None) -> Bytes | None:
    if spec.workspace is not None or disk is None or memory is None or disk < memory:
        return disk
    if spec.limits.disk is None:
        return Bytes(memory // 2)
    raise InvalidSpec(
        f"disk of {disk} lies in memory and must be below the memory limit of {memory}: "
        "raise memory or lower disk"
    )
