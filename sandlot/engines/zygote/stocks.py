"""The stocks of parked boxes: those of an environment, without and with an image at the workspace (pure).

A stock goes by its environment, and by the bounds of its images: `system`, `system/536870912/100000`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandlot.contracts.errors import NotFound
from sandlot.contracts.spec import Bounds, SandboxSpec, WorkspaceKind
from sandlot.environments.environment import SYSTEM


@dataclass(frozen=True, slots=True)
class ZygoteStock:
    """Boxes of one environment, with an empty image of *bounds* at their workspace where there are any."""

    environment: str
    bounds: Bounds | None = None

    @property
    def name(self) -> str:
        """What pools know it by; no environment has a slash in its name."""
        bounds = self.bounds
        return self.environment if bounds is None else f"{self.environment}/{bounds.size}/{bounds.inodes}"

    @classmethod
    def named(cls, name: str) -> ZygoteStock:
        """The one called *name*. Raises NotFound."""
        environment, *bounds = name.split("/")
        try:
            return cls(environment, Bounds(*map(int, bounds)) if bounds else None)
        except (ValueError, TypeError):
            raise NotFound(
                f"no stock is called {name!r}: use ENVIRONMENT or ENVIRONMENT/BYTES/FILES"
            ) from None

    @classmethod
    def of(cls, spec: SandboxSpec) -> ZygoteStock:
        """The one whose boxes are nearest to what *spec* asks for."""
        return cls(spec.environment or SYSTEM, blank_of(spec))


def blank_of(spec: SandboxSpec) -> Bounds | None:
    """The bounds of the empty image that *spec* is content with; None when it wants none or a certain one."""
    workspace = spec.workspace
    is_image = workspace is not None and workspace.kind is WorkspaceKind.IMAGE
    return workspace.blank if workspace is not None and is_image else None
