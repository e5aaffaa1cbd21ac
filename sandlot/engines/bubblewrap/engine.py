"""The engine bubblewrap: finds the program and the host's layout, and builds one box per spec."""

from __future__ import annotations

import os
import shutil
import stat

from sandlot.contracts.capability import Feature
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.spec import Isolation, Network, SandboxSpec
from sandlot.environments import agent, registry
from sandlot.environments.environment import SYSTEM, Environment
from sandlot.keeper.launch import WORKSPACE_MARK, Launch, Powers, WorkspaceMount
from sandlot.link.agentbox import AGENT_FEATURES, BoxFacts
from sandlot.link.life import Who
from sandlot.walls.plan import Plan

from .. import inside
from ..grants import Grant, for_workspace, grant, limit_features
from ..kept import Blueprint, Inside, KeptEngine, inner_walls, kept_mount, missing_walls, patience_for
from ..layout import ETC, host_layout
from . import argv
from .argv import Shape

_FIRST_EXTRA = 3
_INSTALL = (
    ("apt-get", "apt-get install -y bubblewrap"),
    ("dnf", "dnf install -y bubblewrap"),
    ("apk", "apk add bubblewrap"),
)


class BubblewrapEngine(KeptEngine):
    """Boxes of namespaces, Landlock and seccomp, each under a host uid that is nobody else's."""

    name = "bubblewrap"
    isolation = Isolation.NAMESPACE
    launcher: Who = "launcher"
    removable = argv.WITHOUT
    remedy = (
        "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0; "
        "where AppArmor restricts them, a profile for bwrap), or run as root"
    )

    def obstacle(self) -> tuple[str, str] | None:
        if shutil.which("bwrap") is None:
            return "the program bwrap is not installed", f"install it with: {install_line()}"
        return None

    def blueprint(self, spec: SandboxSpec, powers: Powers) -> Blueprint:
        features = for_workspace(spec, self._features(powers))
        hint = "; ".join(powers.missing)
        granted = grant(spec, features, engine=self.name, isolation=self.isolation, hint=hint)
        environment = registry.get(spec.environment or SYSTEM)
        shape = self._shape(spec, granted, environment, powers)
        options = argv.argv_for(os.path.realpath(shutil.which("bwrap") or "bwrap"), shape)
        facts = BoxFacts(
            engine=self.name,
            isolation=self.isolation,
            enforced=self._enforced(spec, granted, powers),
            features=features,
            env=inside.variables(spec.env),
            output_limit=granted.output,
            patience=patience_for(spec),
        )
        known = Inside(facts, self._plan(spec, granted))
        return Blueprint(
            launch=self._launch(spec, options, granted, powers),
            describe=lambda _number: known,
            files=tuple(ETC.values()),
        )

    def _features(self, powers: Powers) -> Feature:
        # Within the box's own user namespace RLIMIT_NPROC counts this box only (setrlimit(2), Linux 5.14).
        found = AGENT_FEATURES | Feature.NETWORK_FULL | Feature.MOUNTS | Feature.LIMIT_DISK
        found |= Feature.LIMIT_PIDS if "rlimits" not in self.without else Feature.NOTHING
        found |= Feature.LIMIT_INODES if powers.workspace else Feature.NOTHING
        return found | (
            limit_features(powers.controllers) if "cgroup" not in self.without else Feature.NOTHING
        )

    def _shape(self, spec: SandboxSpec, granted: Grant, environment: Environment, powers: Powers) -> Shape:
        for mount in spec.mounts:
            _check_source(mount.source, is_others=powers.uid_switch)
        return Shape(
            layout=host_layout(),
            agent=str(agent.archive_for(environment)),
            command=agent.command(environment, argv.AGENT),
            etc_fds=tuple(range(_FIRST_EXTRA, _FIRST_EXTRA + len(ETC))),
            workspace=WORKSPACE_MARK if powers.workspace else None,
            disk=granted.disk,
            scratch=granted.scratch,
            binds=tuple((str(bind.host), bind.box) for bind in environment.binds),
            mounts=spec.mounts,
            full_network=spec.network is Network.FULL,
            without=self.without,
        )

    def _launch(self, spec: SandboxSpec, options: tuple[str, ...], granted: Grant, powers: Powers) -> Launch:
        has = powers.controllers if "cgroup" not in self.without else frozenset()
        workspace = None
        is_kept = spec.workspace is not None
        if powers.workspace and not is_kept and granted.disk is not None and granted.inodes is not None:
            workspace = WorkspaceMount(granted.disk, granted.inodes)
        return Launch(
            argv=options,
            identity="box" if powers.uid_switch else "own",
            memory=granted.memory if "memory" in has else None,
            cpu=granted.cpu if "cpu" in has else None,
            pids=granted.pids if "pids" in has else None,
            workspace=workspace,
            kept=kept_mount(spec),
            extra_fds=tuple(range(_FIRST_EXTRA, _FIRST_EXTRA + len(ETC))),
        )

    def _plan(self, spec: SandboxSpec, granted: Grant) -> Plan:
        return Plan(
            rlimits=granted.rlimits(),
            # All there is in the box is there to be read; Landlock is here for writes, signals and sockets.
            readable=("/",),
            writable=("/workspace", "/tmp", *(str(mount.target) for mount in spec.mounts if mount.writable)),
            network="full" if spec.network is Network.FULL else "own",
            walls=inner_walls(self.without | missing_walls()),
            ipc=True,
        )

    def _enforced(self, spec: SandboxSpec, granted: Grant, powers: Powers) -> tuple[str, ...]:
        has = powers.controllers if "cgroup" not in self.without else frozenset()
        is_shared = spec.network is Network.FULL or self.without & {"namespaces", "namespaces.network"}
        return tuple(
            name
            for name, holds in {
                "users": "users" not in self.without,
                "namespaces": not self.without & {"namespaces", "namespaces.network", "namespaces.pid"},
                "mounts": "mounts" not in self.without,
                "network": not is_shared,
                "cgroup.memory": "memory" in has and granted.memory is not None,
                "cgroup.cpu": "cpu" in has and granted.cpu is not None,
                "cgroup.pids": "pids" in has and granted.pids is not None,
                "disk": granted.disk is not None,
                "inodes": granted.inodes is not None,
            }.items()
            if holds
        )


def _check_source(source: str, *, is_others: bool) -> None:
    """Raise InvalidSpec when *source* is missing, or closed to a uid that is nobody's (*is_others*)."""
    if not os.path.exists(source):
        raise InvalidSpec(f"the mount's source {source!r} does not exist")
    place = os.path.realpath(source)
    while is_others and place != "/":
        if not os.stat(place).st_mode & (stat.S_IXOTH if os.path.isdir(place) else stat.S_IROTH):
            raise InvalidSpec(
                f"the mount's source {source!r} is closed to the box's user: open {place}, or copy it in"
            )
        place = os.path.dirname(place)


def install_line() -> str:
    """The command that installs bubblewrap with this system's package manager."""
    for manager, line in _INSTALL:
        if shutil.which(manager):
            return line
    return " or ".join(line for _, line in _INSTALL)
