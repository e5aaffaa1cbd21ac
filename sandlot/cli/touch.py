"""`sandlot touch`: the lease of a sandbox, renewed."""

from __future__ import annotations

import argparse
from typing import Sequence

from . import arguments_sandboxes, service, signals, statuses


def main(words: Sequence[str]) -> int:
    """Renew the lease *words* ask for; 0."""
    options = arguments_sandboxes.touch().parse_intermixed_args(words)
    return signals.run(_touch(options, service.asked(options)))


async def _touch(options: argparse.Namespace, asked: service.Asked) -> int:
    async with service.opened(asked) as there:
        statuses.tell(await there.touch(options.id), as_json=options.json)
    return 0
