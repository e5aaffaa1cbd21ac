"""`sandlot delete`: sandboxes ended, their workspaces removed."""

from __future__ import annotations

from typing import Sequence

from sandlot.contracts.errors import SandlotError

from . import arguments_sandboxes, render, service, signals


def main(words: Sequence[str]) -> int:
    """Delete what *words* ask for; 0, or 125 when one of them could not be deleted."""
    parser = arguments_sandboxes.delete()
    options = parser.parse_intermixed_args(words)
    if options.all == bool(options.ids):
        parser.error("give ID... or --all")
    return signals.run(_delete(options.ids, service.asked(options)))


async def _delete(names: Sequence[str], asked: service.Asked) -> int:
    failed = False
    async with service.opened(asked) as there:
        for name in names or [status.id for status in await there.list()]:
            try:
                await there.delete(name)
            except SandlotError as error:
                failed = True
                render.say(error.message)
            else:
                render.say(f"sandbox {name} is deleted")
    return 125 if failed else 0
