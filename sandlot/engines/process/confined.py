"""Boxes that are processes of this Linux host, behind rlimits, Landlock and seccomp.

There is no mount namespace of the box: its `/workspace` and `/tmp` are two real directories, and paths are
translated on their way in and out (`link.places`). The box makes them itself before it becomes the agent,
because only it has the box's uid.
"""

from __future__ import annotations

import functools
import os
import secrets
from dataclasses import replace
from pathlib import PurePosixPath

from sandlot import settings
from sandlot.contracts.capability import Feature
from sandlot.contracts.spec import Isolation, Network, SandboxSpec
from sandlot.environments import agent, registry
from sandlot.environments.environment import SYSTEM, Environment
from sandlot.keeper.launch import WORKSPACE_MARK, Launch, Powers, WorkspaceMount
from sandlot.link.agentbox import AGENT_FEATURES, BoxFacts
from sandlot.link.places import Places
from sandlot.walls import landlock
from sandlot.walls.plan import INNER, Plan

from .. import inside
from ..grants import Grant, for_workspace, grant, limit_features
from ..kept import Blueprint, Inside, KeptEngine, inner_walls, kept_mount, patience_for
from .leftovers import remove_tree

_READABLE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc")
_READABLE_OF_ETC = (
    "alternatives", "group", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types",
    "nsswitch.conf", "passwd",
)  # fmt: skip
_READABLE_WITH_NETWORK = ("resolv.conf", "services", "ssl", "ca-certificates", "pki")
_SCRATCH_INODES = 16_384
_STAND_IN = "/tmp/sandlot-box-"
_MAKE_PLACES = "import os\nfor place in {!r}: os.mkdir({!r} + place, 0o700)\n"
_HINT = "engine process shares this host's files and processes: engine bubblewrap enforces more"


class ConfinedEngine(KeptEngine):
    """The weakest engine: chosen only where isolation PROCESS or its name was asked for."""

    name = "process"
    isolation = Isolation.PROCESS
    removable = frozenset({"cgroup", *INNER})

    def obstacle(self) -> tuple[str, str] | None:
        try:
            landlock.abi()
        except OSError as error:
            # It alone keeps the host's files: without it this engine would promise what it cannot hold.
            return f"it cannot keep programs off this host's files: {error.strerror}", "use another engine"
        return None

    def blueprint(self, spec: SandboxSpec, powers: Powers) -> Blueprint:
        if "cgroup" in self.without:
            powers = replace(powers, controllers=frozenset())
        features = for_workspace(spec, self._features(powers))
        hint = "; ".join((*powers.missing, _HINT))
        granted = grant(spec, features, engine=self.name, isolation=self.isolation, hint=hint)
        environment = _as_on_host(registry.get(spec.environment or SYSTEM))
        archive = str(agent.archive_for(environment))
        home = WORKSPACE_MARK if powers.workspace else _STAND_IN + secrets.token_hex(16)
        facts = BoxFacts(
            engine=self.name,
            isolation=self.isolation,
            enforced=_enforced(spec, granted, powers),
            features=features,
            output_limit=granted.output,
            patience=patience_for(spec),
        )
        trees = tuple(str(bind.host) for bind in environment.binds)
        plan = self._plan(spec, granted, (*trees, archive))
        path = ":".join((*(f"{tree}/bin" for tree in trees), inside.PATH))
        return Blueprint(
            launch=_launch(spec, _command(spec, environment, archive, home), granted, powers),
            describe=functools.partial(_inside, facts, plan, dict(spec.env), path, home),
            clear=functools.partial(remove_tree, home) if home != WORKSPACE_MARK else _keeper_clears,
        )

    def _features(self, powers: Powers) -> Feature:
        found = AGENT_FEATURES | Feature.NETWORK_FULL | limit_features(powers.controllers)
        # RLIMIT_NPROC counts a uid's processes (setrlimit(2)): a promise only where the box has its own.
        if powers.uid_switch and "rlimits" not in self.without:
            found |= Feature.LIMIT_PIDS
        return found | (Feature.LIMIT_DISK | Feature.LIMIT_INODES if powers.workspace else Feature.NOTHING)

    def _plan(self, spec: SandboxSpec, granted: Grant, trees: tuple[str, ...]) -> Plan:
        is_full = spec.network is Network.FULL
        etc = _READABLE_OF_ETC + (_READABLE_WITH_NETWORK if is_full else ())
        return Plan(
            rlimits=granted.rlimits(),
            readable=(*_READABLE, *(f"/etc/{name}" for name in etc), *trees),
            writable=(),
            network="full" if is_full else "none",
            walls=inner_walls(self.without),
        )


def _as_on_host(environment: Environment) -> Environment:
    """*environment* with its interpreter where the host has it, for there is no `/env` here."""
    for bind in environment.binds:
        inner = PurePosixPath(environment.interpreter)
        if inner.is_relative_to(bind.box):
            return replace(environment, interpreter=str(bind.host / inner.relative_to(bind.box)))
    return environment


def _command(spec: SandboxSpec, environment: Environment, archive: str, home: str) -> tuple[str, ...]:
    *options, program = agent.command(environment, archive)
    # The keeper's mounts are there; a stand-in must not be, for whoever read its name here may have made it.
    places = ("/tmp",) if spec.workspace is not None else ("/workspace", "/tmp")
    places = places if home == WORKSPACE_MARK else ("", *places)
    return (*options, _MAKE_PLACES.format(places, home) + program)


def _launch(spec: SandboxSpec, command: tuple[str, ...], granted: Grant, powers: Powers) -> Launch:
    workspace = None
    if spec.workspace is not None:
        workspace = WorkspaceMount(granted.scratch, _SCRATCH_INODES)  # for /tmp: that is not kept
    elif granted.disk is not None and granted.inodes is not None:
        workspace = WorkspaceMount(granted.disk, granted.inodes)
    return Launch(
        argv=command,
        env={"LANG": "C.UTF-8", "PATH": inside.PATH},
        identity="box" if powers.uid_switch else "own",
        memory=granted.memory,
        cpu=granted.cpu,
        pids=granted.pids if "pids" in powers.controllers else None,
        workspace=workspace,
        kept=kept_mount(spec),
    )


def _inside(facts: BoxFacts, plan: Plan, asked: dict[str, str], path: str, home: str, number: int) -> Inside:
    if home == WORKSPACE_MARK:
        # The keeper mounts the workspace of its box N at N in the run directory.
        home = os.path.join(os.path.realpath(settings.load().runtime_directory), str(number))
    places = Places.beneath(PurePosixPath(home))
    workspace, temporary = (str(root.real) for root in places.roots)
    env = inside.variables(asked, workspace=workspace, temporary=temporary, path=path)
    plan = Plan.from_json({**plan.to_json(), "writable": [workspace, temporary]})
    return Inside(replace(facts, places=places, env=env), plan)


def _enforced(spec: SandboxSpec, granted: Grant, powers: Powers) -> tuple[str, ...]:
    holds = {
        "users": powers.uid_switch,
        "network": spec.network is not Network.FULL,
        "cgroup.memory": granted.memory is not None,
        "cgroup.cpu": granted.cpu is not None,
        "cgroup.pids": granted.pids is not None and "pids" in powers.controllers,
        "disk": granted.disk is not None,
        "inodes": granted.inodes is not None,
    }
    return tuple(name for name, does in holds.items() if does)


def _keeper_clears() -> None:
    """The workspace is the keeper's to unmount."""
