"""House: how a service keeps its sandboxes, as its operator chose."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandlot.contracts.spec import SandboxSpec

from .agreement import WorkspacePolicy
from .gate import Width
from .quota import Quota


@dataclass(frozen=True, slots=True)
class House:
    """What new sandboxes get, and how many of everything there may be.

    `defaults` are what a new sandbox gets where nothing was asked; a ttl among them makes every sandbox a
    leased one. `starts` bounds boxes being started, `commands` programs running.
    """

    workspaces: WorkspacePolicy = "auto"
    defaults: SandboxSpec = field(default_factory=SandboxSpec)
    quota: Quota = field(default_factory=Quota)
    starts: Width = field(default_factory=lambda: Width.shared(16, 1_000))
    commands: Width = field(default_factory=lambda: Width.shared(256, 1_000))
