"""What a sandbox is asked to be: isolation floor, limits, network, mounts, environment."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePosixPath
from typing import Dict, Mapping, Optional, Tuple

from .errors import InvalidSpec
from .paths import identifier, image_name, variables
from .quantity import Bytes, Cores, Seconds


class Isolation(enum.IntEnum):
    """How strong the wall is, weakest first; comparing them is meaningful."""

    PROCESS = 1
    """rlimits, seccomp, Landlock: no boundary is promised."""
    NAMESPACE = 2
    """A shared kernel behind namespaces, seccomp and control groups; OCI containers too."""
    USERKERNEL = 3
    """System calls are served by a kernel in user space (gVisor)."""
    VM = 4
    """A kernel of its own on virtual hardware."""

    @classmethod
    def parse(cls, name: str) -> Isolation:
        """The level called *name*; raises InvalidSpec listing the names."""
        try:
            return cls[name.upper()]
        except KeyError:
            known = ", ".join(level.name.lower() for level in cls)
            raise InvalidSpec(f"unknown isolation {name!r}: use one of {known}") from None


class Network(enum.Enum):
    """What a sandbox may reach."""

    NONE = "none"
    """Nothing, not even the host's loopback."""
    FULL = "full"
    """Whatever the host reaches. Said explicitly, never a default."""

    @classmethod
    def parse(cls, name: str) -> Network:
        """The policy called *name*; raises InvalidSpec listing the names."""
        try:
            return cls(name.lower())
        except ValueError:
            raise InvalidSpec(f"unknown network policy {name!r}: use none or full") from None


@dataclass(frozen=True)
class Limits:
    """Upper bounds; None means the engine's default where it can be enforced.

    A bound that was asked for and cannot be enforced is refused with Unsupported, never approximated.
    """

    memory: Optional[Bytes] = None
    """Memory of everything in the box together, files in memory included."""
    cpu: Optional[Cores] = None
    """Processor time per wall time."""
    pids: Optional[int] = None
    """Processes and threads alive at once."""
    disk: Optional[Bytes] = None
    """Size of the workspace."""
    inodes: Optional[int] = None
    """Files and directories in the workspace."""
    output: Optional[Bytes] = None
    """Bytes kept of each output stream of a command; the rest is dropped and marked."""
    open_files: Optional[int] = None
    """Open descriptors per process (RLIMIT_NOFILE)."""

    def __post_init__(self) -> None:
        """Refuse counts that are not positive."""
        for name in ("pids", "inodes", "open_files"):
            count = getattr(self, name)
            if count is not None and not 1 <= count <= 10_000_000:
                raise InvalidSpec(f"limit {name}={count} is out of range: use 1 to 10000000")

    def or_else(self, defaults: Limits) -> Limits:
        """These limits with every None taken from *defaults*."""
        if self == _NO_LIMITS:
            return defaults
        missing = {f.name: getattr(defaults, f.name) for f in fields(self) if getattr(self, f.name) is None}
        return replace(self, **missing)

    def asked(self) -> Tuple[str, ...]:
        """The names of the limits that were set."""
        if self == _NO_LIMITS:  # the usual case, which this room's many callers need not pay for
            return ()
        return tuple(f.name for f in fields(self) if getattr(self, f.name) is not None)


_NO_LIMITS = Limits()
DEFAULT_LIMITS = Limits(
    memory=Bytes(1024 * 2**20),
    cpu=None,
    pids=256,
    disk=Bytes(512 * 2**20),
    inodes=100_000,
    output=Bytes(2**20),
    open_files=1024,
)
"""What a sandbox gets where nothing was asked; memory and cpu only where they can be enforced."""

DEFAULT_TIMEOUT = Seconds(30.0)
"""Wall time of a command where nothing was asked."""


@dataclass(frozen=True)
class Mount:
    """A directory or file of the host shown inside the box; only local callers may ask for one."""

    source: str
    target: PurePosixPath
    writable: bool = False


class WorkspaceKind(enum.Enum):
    """What a workspace lies on."""

    MEMORY = "memory"
    """A tmpfs: bounded, fast, gone with its box."""
    IMAGE = "image"
    """A file system image of its own on the host's disk (root only): bounded, outlives box and server."""
    DIRECTORY = "directory"
    """A directory on the host's disk: outlives box and server; its size cannot be bounded."""


@dataclass(frozen=True)
class Bounds:
    """How much fits into an image."""

    size: int
    """Bytes of the whole image."""
    inodes: int
    """Files and directories."""

    @classmethod
    def of(cls, limits: Limits) -> Bounds:
        """What *limits* ask for, and the defaults where they ask for nothing."""
        wanted = limits.or_else(DEFAULT_LIMITS)
        return cls(int(wanted.disk or 0), int(wanted.inodes or 0))


@dataclass(frozen=True)
class KeptWorkspace:
    """A workspace that outlives its boxes: one box at a time has it. Services make them, never callers."""

    name: str
    kind: WorkspaceKind
    blank: Optional[Bounds] = None
    """What a new one is to hold: the engine makes it, empty, with its first box. None: it is there.

    It may be there all the same, as empty as it was made, after an attempt that failed.
    """

    def __post_init__(self) -> None:
        """Refuse what cannot be a name below the workspaces' directory."""
        identifier(self.name, "workspace")
        if self.kind is WorkspaceKind.MEMORY:
            raise InvalidSpec("a workspace in memory is not kept: leave it out of the spec")


@dataclass(frozen=True)
class SandboxSpec:
    """Everything an engine needs to make a box."""

    environment: Optional[str] = None
    """A named environment; None means `system`, or what the service prefers."""
    isolation: Optional[Isolation] = None
    """The floor; None means NAMESPACE, the default, or the level of a named engine."""
    engine: Optional[str] = None
    """A named engine makes its level the floor."""
    limits: Limits = field(default_factory=Limits)
    network: Optional[Network] = None
    """None means NONE, or for a sandbox that exists whatever it has."""
    mounts: Tuple[Mount, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    ttl: Optional[Seconds] = None
    """Lease of a sandbox; None for one that ends with its caller."""
    workspace: Optional[KeptWorkspace] = None
    """None for a workspace in memory that ends with the box."""
    image: Optional[str] = None
    """A container image's name instead of an environment: services take it for one, engines refuse it."""

    def __post_init__(self) -> None:
        """Refuse what no engine could mean."""
        variables(self.env)
        if self.image is not None:
            image_name(self.image)
            if self.environment is not None:
                raise InvalidSpec(f"image {self.image!r} and an environment are given: give one of them")

    def environ(self, extra: Mapping[str, str]) -> Dict[str, str]:
        """The sandbox's variables with a command's *extra* ones over them."""
        return {**self.env, **extra}
