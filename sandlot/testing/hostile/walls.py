"""The table of walls: for each, the case that turns red when only that wall is taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .case import Case
from .catalogue import CASES

CLOSED = "closed"
"""In place of a case: without this wall another cannot be put up, so no box is made at all."""


@dataclass(frozen=True)
class Wall:
    """A wall by the name of docs/engines.md. `case` proves it; for an engine or a kind of host where
    another layer still holds, `elsewhere` has another case's id, or a reason in words.
    """

    name: str
    case: str
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def _entry(self, engine: str, host: str) -> str:
        return self.elsewhere.get(f"{engine}/{host}", self.elsewhere.get(engine, self.case))

    def closes(self, engine: str, host: str) -> bool:
        """Whether no box can be made without this wall."""
        return self._entry(engine, host) == CLOSED

    def case_for(self, engine: str, host: str) -> Case | None:
        """The case to play on *engine*, None where there is a reason instead."""
        entry = self._entry(engine, host)
        return next((case for case in CASES if case.id == entry), None)

    def why_not(self, engine: str, host: str) -> str:
        """The reason."""
        return f"{self.name}: {self._entry(engine, host)}"


_OWN_ROOT_ONLY = "as a user the box has the user's own uid: there is no switch to leave out"
_NO_NAMESPACES = "the engine promises none"

WALLS = (
    Wall(
        "users",
        "P16",
        {
            "bubblewrap": "seccomp holds the same calls: the control of K01 takes both off",
            "zygote": "a box without a user namespace cannot be made there",
            "process/user": _OWN_ROOT_ONLY,
        },
    ),
    Wall("namespaces", "P02", {"process": _NO_NAMESPACES}),
    Wall("namespaces.pid", "P02", {"process": _NO_NAMESPACES}),
    Wall(
        "namespaces.network",
        "N03",
        {"process": _NO_NAMESPACES, "zygote": "the zygote's own, which is as empty, is there instead"},
    ),
    Wall("mounts", "K06", {"process": _NO_NAMESPACES}),
    Wall(
        "cgroup",
        "R02",
        {"bubblewrap/user": "limits by cgroup are refused here", "process/user": "as bubblewrap"},
    ),
    Wall("session", "P16"),
    Wall("rlimits", "R08"),
    Wall("capabilities", "P16", {"process": "an unprivileged uid has none to begin with"}),
    Wall(
        "no_new_privs",
        CLOSED,
        {
            "bubblewrap": "bubblewrap always sets it itself (bubblewrap.c)",
            "zygote": "the zygote has it already, and whoever has it cannot lose it",
        },
    ),
    Wall("landlock", "P06", {"process": "F01"}),
    Wall("dumpable", "P16"),
    Wall("seccomp", "K02"),
)
