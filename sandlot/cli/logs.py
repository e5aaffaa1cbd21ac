"""`sandlot logs`: what a background process has written, and on request what it goes on to write."""

from __future__ import annotations

import argparse
from typing import Sequence

from sandlot.contracts.engine import Processes
from sandlot.contracts.errors import TimedOut

from . import arguments_sandboxes, outcome, ps, render, service, signals

_PERIOD = 0.5
"""Seconds after which a process that still runs is asked again for its output."""


def main(words: Sequence[str]) -> int:
    """Print what *words* ask for; 0."""
    options = arguments_sandboxes.logs().parse_intermixed_args(words)
    return signals.run(_print(options, service.asked(options)))


async def _print(options: argparse.Namespace, asked: service.Asked) -> int:
    async with service.opened(asked) as there:
        processes = await ps.reached(there, options.id)
        offset = await _more(processes, options.process, 0)
        while options.follow:
            is_over = await _is_over(processes, options.process)
            offset = await _more(processes, options.process, offset)
            if is_over:
                break
    return 0


async def _more(processes: Processes, process: str, offset: int) -> int:
    """Print what is kept from *offset*; the next offset."""
    data, following, dropped = await processes.output(process, offset)
    if dropped:
        render.say(f"{dropped} bytes before this are no longer kept")
    await outcome.write(1, data)
    return following


async def _is_over(processes: Processes, process: str) -> bool:
    """Whether the process has ended, after waiting for that for a while."""
    try:
        await processes.wait(process, _PERIOD)
    except TimedOut:
        return False
    return True
