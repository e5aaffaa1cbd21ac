"""`sandlot create`: a sandbox that lasts, or a renewed lease of the one there is."""

from __future__ import annotations

import argparse
from typing import Sequence

from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec

from . import arguments_sandboxes, parsing, service, signals, statuses


def main(words: Sequence[str]) -> int:
    """Make the sandbox *words* ask for; 0."""
    options = arguments_sandboxes.create().parse_intermixed_args(words)
    given = {name: getattr(options, name) for name in arguments_sandboxes.CREATE_SETTINGS}
    asked = service.asked(options, given)
    return signals.run(_create(options, asked, _spec(options, asked)))


def _spec(options: argparse.Namespace, asked: service.Asked) -> SandboxSpec:
    chosen = asked.settings
    return SandboxSpec(
        environment=None if options.image else chosen.environment,
        image=options.image,
        isolation=chosen.isolation,
        engine=chosen.engine,
        limits=chosen.limits,
        network=chosen.network,
        env=parsing.variables(options.env),
        ttl=None if options.ttl is None else Seconds.parse(options.ttl),
    )


async def _create(options: argparse.Namespace, asked: service.Asked, spec: SandboxSpec) -> int:
    async with service.opened(asked) as there:
        statuses.tell(await there.ensure(options.id, spec), as_json=options.json)
    return 0
