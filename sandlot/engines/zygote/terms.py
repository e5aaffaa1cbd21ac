"""On what terms boxes are parked, and what a claim may change of that (pure)."""

from __future__ import annotations

import functools

from sandlot.contracts.capability import Feature
from sandlot.contracts.spec import Isolation, SandboxSpec
from sandlot.environments.environment import Environment
from sandlot.keeper.launch import Powers
from sandlot.keeper.orders import Fit, Limits
from sandlot.link.agentbox import AGENT_FEATURES, BoxFacts
from sandlot.link.life import Usage
from sandlot.walls.plan import INNER, Plan

from .. import inside
from ..grants import Grant, for_workspace, grant, limit_features
from ..kept import kept_mount, patience_for
from ..latest import Latest
from ..layout import Layout
from . import tree

NAME = "zygote"
_NAMESPACES = ("pid", "net", "ipc", "uts", "cgroup")
_PARTS = {"namespaces.pid": ("pid",), "namespaces.network": ("net",), "namespaces": _NAMESPACES}
_OUTER = frozenset({"mounts", "capabilities", *(f"namespaces.{name}" for name in _NAMESPACES)})

REMOVABLE = frozenset({"cgroup", "mounts", *_PARTS, *INNER}) - {"no_new_privs"}
"""Walls a box can be made without, for tests; what a zygote has, its boxes cannot lose."""

MOST_BOXES = 10_000
"""Boxes after which a zygote retires: its siblings share the secret of string hashes."""


class Terms:
    """What a keeper of given powers lets this engine promise."""

    def __init__(self, powers: Powers, *, without: frozenset[str], missing: frozenset[str]) -> None:
        """*without* are walls left out for tests, *missing* those this machine cannot have."""
        self._powers, self._without = powers, without
        has = powers.controllers if "cgroup" not in without else frozenset()
        self._has = has
        # Within the box's own user namespace RLIMIT_NPROC counts this box only (setrlimit(2), Linux 5.14).
        features = AGENT_FEATURES | Feature.LIMIT_DISK | Feature.LIMIT_INODES | limit_features(has)
        self._features = features | (Feature.LIMIT_PIDS if "rlimits" not in without else Feature.NOTHING)
        self._inner = tuple(wall for wall in INNER if wall not in without | missing)
        self._granted, self._known = Latest(self._grant), Latest(self._facts)
        # Kept workspaces make every spec another, and mostly the same grant.
        self._limits = functools.lru_cache(maxsize=8)(self._of_group)
        self._enforced = functools.lru_cache(maxsize=8)(self._holding)
        self._usual = self.grant(SandboxSpec())
        self.limits = self._limits(self._usual)
        """Of the control group of a parked box."""
        self.plan = self._plan(self._usual).to_json()
        """The inner walls of a parked box."""

    def grant(self, spec: SandboxSpec) -> Grant:
        """What *spec* gets. Raises Unsupported, InvalidSpec."""
        return self._granted(spec)

    def _grant(self, spec: SandboxSpec) -> Grant:
        hint = "; ".join(self._powers.missing)
        return grant(spec, self._features, engine=NAME, isolation=Isolation.NAMESPACE, hint=hint)

    def fit(self, spec: SandboxSpec, granted: Grant, *, has_image: bool = False) -> Fit | None:
        """What a claim changes of a parked box; None when it was parked as it is wanted.

        *has_image*: it has the image already that is to be the workspace of *spec*.
        """
        kept, wanted = kept_mount(spec), self._limits(granted)
        if has_image:
            return None if wanted == self.limits else Fit(wanted, scratch=granted.scratch)
        if kept is not None:
            return Fit(wanted, scratch=granted.scratch, kept=kept)
        if wanted == self.limits and (granted.disk, granted.inodes) == (self._usual.disk, self._usual.inodes):
            return None
        return Fit(wanted, granted.disk, granted.inodes, granted.scratch)

    def facts(self, spec: SandboxSpec) -> BoxFacts:
        """What is known of the box that *spec* gets. Raises as `grant`."""
        return self._known(spec)

    def _facts(self, spec: SandboxSpec) -> BoxFacts:
        granted = self.grant(spec)
        return BoxFacts(
            engine=NAME,
            isolation=Isolation.NAMESPACE,
            enforced=self._enforced(granted),
            features=for_workspace(spec, self._features),
            env=inside.variables(spec.env),
            output_limit=granted.output,
            patience=patience_for(spec),
            unused=Usage(),
        )

    def nest(self, environment: Environment, layout: Layout) -> dict[str, object]:
        """What the zygote of *environment* is told, as guest.nest reads it."""
        out = {f"namespaces.{name}" for wall in self._without for name in _PARTS.get(wall, ())}
        return {
            "preload": list(environment.preload),
            "plan": self.plan,
            "user": inside.USER,
            "group": inside.GROUP,
            "hostname": inside.HOSTNAME,
            "env": {**inside.variables({}), "PWD": "/workspace"},
            "scratch": self._usual.scratch,
            "disk": self._usual.disk,
            "inodes": self._usual.inodes,
            "masked": tree.masked(layout),
            "walls": sorted(_OUTER - self._without - out),
            "most": MOST_BOXES,
        }

    def _of_group(self, granted: Grant) -> Limits:
        return Limits(
            memory=granted.memory if "memory" in self._has else None,
            cpu=granted.cpu if "cpu" in self._has else None,
            pids=granted.pids if "pids" in self._has else None,
        )

    def _plan(self, granted: Grant) -> Plan:
        return Plan(
            rlimits=granted.rlimits(),
            readable=("/",),
            writable=("/workspace", "/tmp"),
            network="own",
            walls=self._inner,
            ipc=True,
        )

    def _holding(self, granted: Grant) -> tuple[str, ...]:
        limits = self._limits(granted)
        holds = {
            "users": True,
            "namespaces": not self._without & _PARTS.keys(),
            "mounts": "mounts" not in self._without,
            "network": not self._without & {"namespaces", "namespaces.network"},
            "cgroup.memory": limits.memory is not None,
            "cgroup.cpu": limits.cpu is not None,
            "cgroup.pids": limits.pids is not None,
            "disk": granted.disk is not None,
            "inodes": granted.inodes is not None,
        }
        return tuple(name for name, does_hold in holds.items() if does_hold)
