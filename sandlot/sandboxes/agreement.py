"""What a new sandbox is settled to be, and whether a later request agrees with it (pure).

A value of a spec that is None or empty counts as not asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import Literal

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import identifier
from sandlot.contracts.spec import Limits, Network, SandboxSpec, WorkspaceKind
from sandlot.environments.environment import SYSTEM

WorkspacePolicy = Literal["auto", "disk", "memory"]
"""What workspaces of leased sandboxes lie on: an image where proven and else memory; the disk; memory."""

_NOTHING = SandboxSpec()
_OPEN = {"environment": SYSTEM, "network": Network.NONE}
"""What a spec that leaves these open means to an engine."""

_COMPARED = ("environment", "isolation", "engine", "network", "mounts", "env")


def without_image(asked: SandboxSpec, images: Mapping[str, str]) -> SandboxSpec:
    """*asked*, with the environment its image means: the one in *images*, else the one of that very name.

    Raises InvalidSpec for an image that means none.
    """
    image = asked.image
    if image is None:
        return asked
    try:
        environment = images.get(image) or identifier(image, "environment")
    except InvalidSpec:
        raise InvalidSpec(
            f"there is no environment for image {image!r}: map it to one in the setting images, "
            "or name an environment"
        ) from None
    return replace(asked, image=None, environment=environment)


def settled(asked: SandboxSpec, defaults: SandboxSpec) -> SandboxSpec:
    """*asked*, with what it leaves open taken from *defaults*: those themselves when it leaves everything."""
    if asked == _NOTHING:
        return defaults
    return replace(
        asked,
        environment=asked.environment or defaults.environment,
        isolation=asked.isolation or defaults.isolation,
        # Who asks for a level did not ask for the engine that is preferred otherwise, which may lie below it.
        engine=asked.engine or (defaults.engine if asked.isolation is None else None),
        network=asked.network or defaults.network,
        limits=asked.limits.or_else(defaults.limits),
        env=asked.env or defaults.env,
        ttl=asked.ttl or defaults.ttl,
    )


def difference(asked: SandboxSpec, had: SandboxSpec) -> str | None:
    """The first field in which *asked* says something else than *had*, the spec of a sandbox that exists.

    The ttl is no difference: it renews the lease.
    """
    for name in _COMPARED:
        wanted = getattr(asked, name)
        if wanted and wanted != (getattr(had, name) or _OPEN.get(name)):
            return name
    for each in fields(Limits):
        if getattr(asked.limits, each.name) not in (None, getattr(had.limits, each.name)):
            return f"limits.{each.name}"
    return None


def kinds_to_try(
    policy: WorkspacePolicy, ttl: float | None, proven: Collection[WorkspaceKind]
) -> tuple[WorkspaceKind, ...]:
    """What the workspace of a new sandbox may lie on, in the order to try.

    Without a *ttl* it ends with its caller, so there is nothing to keep.
    """
    has_image = WorkspaceKind.IMAGE in proven
    if policy == "memory" or ttl is None:
        return (WorkspaceKind.MEMORY,)
    if policy == "disk":
        return (WorkspaceKind.IMAGE if has_image else WorkspaceKind.DIRECTORY,)
    return (WorkspaceKind.IMAGE, WorkspaceKind.MEMORY) if has_image else (WorkspaceKind.MEMORY,)
