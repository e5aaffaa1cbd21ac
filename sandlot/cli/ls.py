"""`sandlot ls`: the sandboxes there are; those that have ended by name, or with `--all`."""

from __future__ import annotations

import argparse
from typing import Sequence

from . import arguments_sandboxes, render, service, signals, statuses


def main(words: Sequence[str]) -> int:
    """List what *words* ask for; 0."""
    options = arguments_sandboxes.ls().parse_intermixed_args(words)
    return signals.run(_list(options, service.asked(options)))


async def _list(options: argparse.Namespace, asked: service.Asked) -> int:
    async with service.opened(asked) as there:
        if options.ids:
            found = [await there.status(name) for name in options.ids]
        else:
            found = list(await there.list(ended=options.all))
    if options.json:
        render.document({"sandboxes": [statuses.document(status) for status in found]})
    else:
        statuses.table(found)
    return 0
