"""A command's events, collected into one answer."""

from __future__ import annotations

from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import OutputTooLarge
from sandlot.contracts.events import Event, Stderr, Stdout
from sandlot.contracts.result import Result, fold
from sandlot.contracts.streams import ended

MOST_COLLECTED = 8 * 2**20
"""Bytes of output in one JSON answer; writing more of it would hold up everybody else."""


async def collected(box: Box, command: Command) -> Result:
    """The Result of *command*. Raises the error it failed with, OutputTooLarge for more than one answer."""
    kept: list[Event] = []
    size = 0
    async with ended(box.run(command)) as events:
        async for event in events:
            size += len(event.data) if isinstance(event, (Stdout, Stderr)) else 0
            if size > MOST_COLLECTED:
                raise OutputTooLarge(
                    f"the command wrote more than the {MOST_COLLECTED} bytes of one answer and was killed: "
                    "stream it, or give a lower outputLimit"
                )
            kept.append(event)
    return fold(
        kept, engine=box.engine, isolation=box.isolation, enforced=box.enforced, failover=box.failover
    )
