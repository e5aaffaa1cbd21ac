"""What a box is started with and what is told of it: the values of the keeper, checked when made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..walls import rlimits

MAX_DESCRIPTORS = 16
WORKSPACE_MARK = "{workspace}"  # replaced in argv by the path of the box's workspace

Identity = Literal["own", "box"]
Cause = Literal["exited", "killed", "warden_died", "keeper_died"]
Code = Literal["invalid", "unsupported", "not_found", "conflict", "start_failed", "stuck", "namespaces"]


class Refusal(Exception):
    """A request that is answered with an error; `code` is stable."""

    def __init__(self, code: Code, message: str) -> None:
        """Keep both parts of the answer."""
        super().__init__(message)
        self.code: Code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class WorkspaceMount:
    """A tmpfs of the box's own: at most so many bytes and so many files."""

    bytes: int
    inodes: int

    def __post_init__(self) -> None:
        """Refuse what tmpfs(5) would read as "no limit"."""
        demand("workspace bytes", self.bytes, is_positive(self.bytes), "a positive integer")
        demand("workspace inodes", self.inodes, is_positive(self.inodes), "a positive integer")


@dataclass(frozen=True, slots=True)
class KeptMount:
    """A workspace of the store that outlives the box: its name, never a path."""

    name: str
    kind: Literal["image", "directory"]

    def __post_init__(self) -> None:
        """Refuse what is no name or kind of one."""
        demand("workspace name", self.name, _is_name(self.name), "a name of letters, digits and ._-")
        demand("workspace kind", self.kind, self.kind in ("image", "directory"), "image or directory")


@dataclass(frozen=True, slots=True)
class Launch:
    """One box to start.

    `argv[0]` is an absolute path; `env` is the whole environment. `identity` "box" is an unprivileged
    uid nobody else has (only as root, and then required), "own" the keeper's. `memory` in bytes, `cpu`
    in processors, `pids` in tasks; None is no limit. `rlimits` by lower-case name ("nofile") lower both
    limits and never raise one. `workspace` is mounted at the mark's path, and so is `kept`, or at `workspace`
    in there when there are both. `extra_fds` are the numbers, above 2, of the descriptors after the third.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    identity: Identity = "box"
    memory: int | None = None
    cpu: float | None = None
    pids: int | None = None
    rlimits: Mapping[str, int] = field(default_factory=dict)
    workspace: WorkspaceMount | None = None
    kept: KeptMount | None = None
    extra_fds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse (code invalid) a value that could not be carried out as written."""
        for name, is_right, wanted in _LAUNCH_CLAIMS:
            demand(f"launch {name}", getattr(self, name), is_right(getattr(self, name)), wanted)
        has_none = self.workspace is None and self.kept is None
        if has_none and any(WORKSPACE_MARK in element for element in self.argv):
            raise Refusal("invalid", f"argv mentions {WORKSPACE_MARK} but the launch has no workspace")


@dataclass(frozen=True, slots=True)
class Exit:
    """How a box ended: the wait status of its first process and what its cgroup counted (None: no cgroup)."""

    wait_status: int
    cause: Cause
    oom_kills: int | None = None
    memory_peak: int | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Consumption:
    """What a living box has used so far, in bytes, seconds and tasks (None: not counted here)."""

    oom_kills: int | None = None
    memory_peak: int | None = None
    cpu_seconds: float | None = None
    pids: int | None = None


@dataclass(frozen=True, slots=True)
class Powers:
    """What this keeper can enforce, and in `missing` why it cannot do the rest."""

    uid_switch: bool
    pid_namespace: bool
    workspace: bool
    controllers: frozenset[str]
    missing: tuple[str, ...] = ()


def demand(what: str, value: object, is_right: bool, wanted: str) -> None:
    """Refusal(invalid) that names *what*, its *value* and what was *wanted*, unless it is right."""
    if not is_right:
        raise Refusal("invalid", f"{what} is {value!r:.200}, it must be {wanted}")


def is_count(value: object) -> bool:
    """A number that counts: an int that is no bool, 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_positive(value: Any) -> bool:
    """A count above 0."""
    return is_count(value) and value > 0


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_name(value: object) -> bool:
    # The rule of contracts.paths.identifier, whose modules would make every keeper start 5 ms later.
    if not isinstance(value, str) or not value.isascii() or not 1 <= len(value) <= 128:
        return False
    return value[0].isalnum() and all(letter.isalnum() or letter in "._-" for letter in value)


def is_argv(value: object) -> bool:
    """Strings without NUL, an absolute path first."""
    return isinstance(value, tuple) and bool(value) and all(map(_is_text, value)) and value[0].startswith("/")


def is_environment(value: object) -> bool:
    """Variables by name, all without NUL."""
    if not isinstance(value, Mapping):
        return False
    return all(_is_text(name) and name and "=" not in name and _is_text(text) for name, text in value.items())


def _is_rlimits(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        name in rlimits.NAMES and is_count(limit) for name, limit in value.items()
    )


def _is_extra(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) > MAX_DESCRIPTORS - 3 or len(set(value)) != len(value):
        return False
    return all(is_count(number) and 3 <= number < 256 for number in value)


def is_cpu(value: Any) -> bool:
    """A number of processors that can be enforced, or None."""
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value is None or (is_real and 0.01 <= value <= 4096)  # NaN fails the comparison


_LAUNCH_CLAIMS: tuple[tuple[str, Callable[[object], bool], str], ...] = (
    ("argv", is_argv, "a tuple of strings without NUL that starts with an absolute path"),
    ("env", is_environment, "strings without NUL, names not empty and without ="),
    ("identity", lambda value: value in ("own", "box"), "own or box"),
    ("memory", lambda value: value is None or is_positive(value), "a positive number of bytes or None"),
    ("cpu", is_cpu, "a number of processors between 0.01 and 4096 or None"),
    ("pids", lambda value: value is None or is_positive(value), "a positive integer or None"),
    ("rlimits", _is_rlimits, "counts by the names of walls.rlimits"),
    (
        "workspace",
        lambda value: value is None or isinstance(value, WorkspaceMount),
        "a WorkspaceMount or None",
    ),
    ("kept", lambda value: value is None or isinstance(value, KeptMount), "a KeptMount or None"),
    ("extra_fds", _is_extra, "distinct numbers from 3 to 255, 13 at most"),
)


def objection(launch: Launch, powers: Powers, *, is_root: bool) -> str | None:
    """Why a keeper of these *powers* cannot carry *launch* out as asked; None when it can."""
    limits = {"memory": launch.memory, "cpu": launch.cpu, "pids": launch.pids}
    why_not = "; ".join(powers.missing) or "no reason known"
    for name, asked in limits.items():
        if asked is not None and name not in powers.controllers:
            return f"{name} limit {asked} cannot be enforced ({why_not}): leave it out or delegate a cgroup"
    if launch.workspace is not None and not powers.workspace:
        return f"a workspace of {launch.workspace.bytes} bytes cannot be mounted here ({why_not})"
    if launch.kept is not None and not powers.workspace:
        return f"kept workspace {launch.kept.name!r} cannot be mounted here ({why_not}): use one in memory"
    if launch.kept is not None and launch.kept.kind == "image" and not powers.uid_switch:
        return f"workspace {launch.kept.name!r} is an image, which only root may mount: use a directory"
    if launch.identity == "box" and not powers.uid_switch:
        return f"identity box needs a keeper that can change uids ({why_not}): use identity own"
    if launch.identity == "own" and is_root:
        return "identity own would run the box as root: use identity box"
    return None
