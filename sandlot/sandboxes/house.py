"""House: how a service keeps its sandboxes, as its operator chose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandlot.contracts.spec import SandboxSpec

from .agreement import WorkspacePolicy
from .gate import Width
from .quota import Quota


def _anything(spec: SandboxSpec) -> SandboxSpec:
    return spec


@dataclass(frozen=True, slots=True)
class House:
    """What new sandboxes get, and how many of everything there may be.

    `admit` raises Forbidden for a spec that may not be started any more: a kept sandbox can be older than
    what the operator says today.

    `defaults` are what a new sandbox gets where nothing was asked; a ttl among them makes every sandbox a
    leased one. `images` are the environments that container images' names mean. `starts` bounds boxes being
    started, `commands` programs running.
    """

    workspaces: WorkspacePolicy = "auto"
    defaults: SandboxSpec = field(default_factory=SandboxSpec)
    images: Mapping[str, str] = field(default_factory=dict)
    admit: Callable[[SandboxSpec], object] = _anything
    quota: Quota = field(default_factory=Quota)
    starts: Width = field(default_factory=lambda: Width.shared(16, 1_000))
    commands: Width = field(default_factory=lambda: Width.shared(256, 1_000))
