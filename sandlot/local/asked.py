"""From settings to specs: what the operator chose, as values the engines understand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandlot import settings
from sandlot.contracts.paths import identifier
from sandlot.contracts.spec import Mount, SandboxSpec
from sandlot.environments.environment import SYSTEM

DEFAULT_ENVIRONMENT = "default"
"""The named environment that is preferred to `system` where it exists."""


def environment_of(chosen: settings.Settings) -> str:
    """The environment to use: the one set, else `default` if there is one, else `system`."""
    if chosen.environment is not None:
        return identifier(chosen.environment, "environment")
    made = chosen.environments_directory / DEFAULT_ENVIRONMENT
    return DEFAULT_ENVIRONMENT if made.is_dir() else SYSTEM


def spec_of(
    chosen: settings.Settings, env: Mapping[str, str] | None = None, mounts: tuple[Mount, ...] = ()
) -> SandboxSpec:
    """The spec that *chosen* amounts to, with the variables *env* for every command."""
    return SandboxSpec(
        environment=environment_of(chosen),
        isolation=chosen.isolation,
        engine=chosen.engine,
        limits=chosen.limits,
        network=chosen.network,
        mounts=mounts,
        env=dict(env or {}),
    )


def settings_for(**arguments: Any) -> settings.Settings:
    """The settings with *arguments* over them; those that are None were not given."""
    return settings.load(flags=arguments)
