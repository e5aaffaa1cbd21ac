"""What the agent is told to put up inside a box: limits, trees, network and the names of the walls."""

from __future__ import annotations

from .rlimits import NAMES as LIMITS

TYPE_CHECKING = False  # `typing` and `dataclasses` would double the agent's start
if TYPE_CHECKING:
    from typing import Any, Dict, Mapping, NoReturn, Tuple

OUTER = ("users", "namespaces", "mounts", "cgroup")
"""Walls the engine and the keeper put up around a box."""

INNER = ("session", "rlimits", "capabilities", "no_new_privs", "landlock", "dumpable", "seccomp")
"""Walls put up inside the box by `lockdown`, in its order."""

WALLS = OUTER + INNER

NETWORKS = ("none", "own", "full")


class PlanError(ValueError):
    """A plan that cannot be right; the message says which field and what it may be."""


class Plan:
    """The inner walls of one box, frozen. A Plan that exists is valid; anything else raised PlanError.

    rlimits: names of `rlimits.NAMES` to values in the unit of setrlimit(2).
    readable, writable: absolute paths, resolved when the walls go up, so name only places whose
    parents the payload cannot rename. A readable path may be missing, a writable one may not.
    network: `none` (no network namespace: seccomp refuses sockets), `own` (an empty network
    namespace of the box) or `full` (the host's network).
    walls: names out of INNER; what is not named is not put up.
    ipc: the box has an IPC namespace, /dev/shm and /dev/pts of its own, so their use is allowed; without,
    the host's network brings no Unix sockets, which would be the host's.
    """

    rlimits: Mapping[str, int]
    readable: Tuple[str, ...]
    writable: Tuple[str, ...]
    network: str
    walls: Tuple[str, ...]
    ipc: bool

    def __init__(
        self,
        *,
        rlimits: Mapping[str, int],
        readable: Tuple[str, ...],
        writable: Tuple[str, ...],
        network: str,
        walls: Tuple[str, ...],
        ipc: bool = False,
    ) -> None:
        vars(self).update(
            rlimits=rlimits, readable=readable, writable=writable, network=network, walls=walls, ipc=ipc
        )
        _check(self)

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        raise AttributeError(f"Plan.{name} cannot be set: a plan is frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Plan.{name} cannot be deleted: a plan is frozen")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]  # the limits are a mapping

    def __repr__(self) -> str:
        return f"Plan({self.to_json()})"

    def without(self, *walls: str) -> Plan:
        """The same plan less the named walls, for a test that shows what each is good for."""
        return Plan(
            rlimits=self.rlimits,
            readable=self.readable,
            writable=self.writable,
            network=self.network,
            walls=tuple(wall for wall in self.walls if wall not in walls),
            ipc=self.ipc,
        )

    def limited(self, rlimits: object) -> Plan:
        """The same plan with other *rlimits*, a JSON object. Raises PlanError."""
        _require(isinstance(rlimits, dict), "rlimits", rlimits, "an object")
        plan = Plan.__new__(Plan)
        vars(plan).update(vars(self), rlimits=rlimits)
        _check_rlimits(plan)  # the rest of it was checked when it was made
        return plan

    def to_json(self) -> Dict[str, Any]:
        """The plan as a JSON object; `from_json` turns it back into an equal plan."""
        return {
            "rlimits": dict(self.rlimits),
            "readable": list(self.readable),
            "writable": list(self.writable),
            "network": self.network,
            "walls": list(self.walls),
            "ipc": self.ipc,
        }

    @classmethod
    def from_json(cls, value: object) -> Plan:
        """Parse what `to_json` made. Raises PlanError for a missing, unknown or wrong field."""
        if not isinstance(value, dict):
            raise PlanError(f"a plan is a JSON object, got {type(value).__name__}")
        wanted = {"rlimits", "readable", "writable", "network", "walls", "ipc"}
        _require(set(value) == wanted, "fields", sorted(map(str, value)), f"exactly {sorted(wanted)}")
        _require(isinstance(value["rlimits"], dict), "rlimits", value["rlimits"], "an object")
        _require(isinstance(value["network"], str), "network", value["network"], "a string")
        _require(isinstance(value["ipc"], bool), "ipc", value["ipc"], "true or false")
        return cls(
            rlimits=dict(value["rlimits"]),
            readable=_strings(value, "readable"),
            writable=_strings(value, "writable"),
            network=value["network"],
            walls=_strings(value, "walls"),
            ipc=value["ipc"],
        )


def _check(plan: Plan) -> None:
    _require(plan.network in NETWORKS, "network", plan.network, f"one of {', '.join(NETWORKS)}")
    for wall in plan.walls:
        _require(wall in INNER, "walls", wall, f"one of {', '.join(INNER)}; others belong to the engine")
    _require(len(set(plan.walls)) == len(plan.walls), "walls", plan.walls, "each named once")
    for path in plan.readable + plan.writable:
        _require(_is_plain(path), "readable or writable", path, "an absolute path without '..' or NUL")
    _check_rlimits(plan)


def _check_rlimits(plan: Plan) -> None:
    for name, value in plan.rlimits.items():
        _require(name in LIMITS, "rlimits", name, f"one of {', '.join(LIMITS)}")
        _require(_is_count(value), f"rlimits.{name}", value, "an integer from 0 to 2**63 - 1")


def _require(holds: bool, field: str, value: object, expected: str) -> None:
    if not holds:
        raise PlanError(f"plan field {field} is {value!r}; it must be {expected}")


def _is_plain(path: str) -> bool:
    return path.startswith("/") and "\0" not in path and ".." not in path.split("/")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _strings(value: Mapping[str, object], field: str) -> Tuple[str, ...]:
    items = value[field]
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise PlanError(f"plan field {field} is {items!r}; it must be a list of strings")
    return tuple(items)
