"""What zygotes and their boxes are started with: values of the keeper, checked when made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..walls import tree
from .launch import KeptMount, demand, is_argv, is_cpu, is_environment, is_positive

_LONGEST = 3600


@dataclass(frozen=True, slots=True)
class ZygoteOrder:
    """A zygote to start: its program, inside the root that *tree* describes, and its whole environment.

    The paths of the tree are followed by its warden, which has no more power than the environment's user.
    `loading` and `making` are the seconds that it may take until it has loaded its packages, and until it
    answers for a box or the box stands: whoever takes longer is ended.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    tree: tuple[tree.Entry, ...]
    loading: float = 60.0
    making: float = 10.0

    def __post_init__(self) -> None:
        """Refuse (code invalid) a value that could not be carried out as written."""
        demand("zygote argv", self.argv, is_argv(self.argv), "strings without NUL, an absolute path first")
        demand("zygote env", self.env, is_environment(self.env), "strings without NUL")
        for name in ("loading", "making"):
            seconds = getattr(self, name)
            is_right = isinstance(seconds, (int, float)) and 0 < seconds <= _LONGEST
            demand(f"zygote {name}", seconds, is_right, f"seconds, more than none and at most {_LONGEST}")
        for entry in self.tree:
            demand(
                "tree entry", entry, _is_entry(entry), f"a kind of {', '.join(tree.KINDS)} and two strings"
            )


@dataclass(frozen=True, slots=True)
class Limits:
    """What a box's control group allows: bytes, processors, tasks; None is no limit."""

    memory: int | None = None
    cpu: float | None = None
    pids: int | None = None

    def __post_init__(self) -> None:
        """Refuse (code invalid) what cannot be counted."""
        for name in ("memory", "pids"):
            value = getattr(self, name)
            demand(name, value, value is None or is_positive(value), "a positive integer or None")
        demand("cpu", self.cpu, is_cpu(self.cpu), "a number of processors between 0.01 and 4096 or None")


@dataclass(frozen=True, slots=True)
class Fit:
    """What a parked box gets when it is claimed, where that is not what it was parked with."""

    limits: Limits
    disk: int | None = None
    inodes: int | None = None
    scratch: int | None = None
    kept: KeptMount | None = None

    def __post_init__(self) -> None:
        """Refuse (code invalid) half a size."""
        both = (self.disk is None) == (self.inodes is None)
        is_kept = self.kept is None or isinstance(self.kept, KeptMount)
        demand("kept", self.kept, is_kept, "a KeptMount or None")
        demand("size", (self.disk, self.inodes), both, "bytes and files, or neither")
        for value in (self.disk, self.inodes, self.scratch):
            demand("size", value, value is None or is_positive(value), "a positive integer or None")


def _is_entry(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) != len(("kind", "path", "content")):
        return False
    return value[0] in tree.KINDS and all(isinstance(part, str) and "\0" not in part for part in value)
