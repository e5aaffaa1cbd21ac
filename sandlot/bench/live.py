"""What a command costs in a sandbox that is up: exec, and the way of one printed line."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.events import Event, Exited, Failed, Stdout
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.service import Service
from sandlot.contracts.spec import SandboxSpec
from sandlot.contracts.streams import ended

from . import one_shot, talk
from .benchmark import FAILURES, Series, Stage, Wrong, repeated, told
from .summary import Round
from .talk import Calls

# Each line is the clock at its printing. Waiting between lines keeps one from travelling with another.
_PRINTER = """
import sys, time
for _ in range(int(sys.argv[1])):
    print(time.monotonic_ns(), flush=True)
    time.sleep(0.005)
"""


@asynccontextmanager
async def sandbox(service: Service) -> AsyncIterator[Box]:
    """The box of a sandbox of its own, for the length of a block."""
    name = talk.new_name()
    await service.ensure(name, SandboxSpec(ttl=Seconds(talk.TTL)))
    try:
        yield await service.reach(name)
    finally:
        await service.delete(name)


def refuse_failure(event: Event) -> None:
    """Raise Wrong for the end of a command that did not go well."""
    if isinstance(event, Failed):
        raise Wrong(f"the command did not start: {event.code}")
    if isinstance(event, Exited) and event.exit_code != 0:
        raise Wrong(f"the command ended with {event.exit_code} ({event.reason.value})")


@asynccontextmanager
async def execs(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """`/bin/true` in a live sandbox."""
    calls, name = Calls(stage.entrance), talk.new_name()
    request = calls.execute(name, talk.TRUE)
    with one_shot.line(stage.entrance) as connection:
        talk.spoken(connection, talk.created(calls, name))

        async def sample() -> float:
            return talk.spoken(connection, talk.live_command(request))

        try:
            yield (repeated("exec", sample),)
        finally:
            talk.spoken(connection, talk.deleted(calls, name))


@asynccontextmanager
async def printed(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """From `print` in the sandbox to the line at the client; both read CLOCK_MONOTONIC of one kernel."""
    if not stage.is_near:
        raise Wrong("print-to-byte needs a server on this machine: the clocks of two machines differ")
    async with sandbox(stage.live) as box:

        async def block(count: int) -> Round:
            try:
                return Round(await _ages(box, count))
            except FAILURES as error:
                return Round((), (told(error),) * count)

        yield (Series("print-to-byte", block),)


async def _ages(box: Box, count: int) -> tuple[float, ...]:
    """How old each of *count* printed lines is, in milliseconds, when it comes."""
    ages: list[float] = []
    pending = b""
    printer = Command(argv=("python3", "-I", "-S", "-c", _PRINTER, str(count)))
    async with ended(box.run(printer)) as events:
        async for event in events:
            now = time.monotonic_ns()
            refuse_failure(event)
            if isinstance(event, Stdout):
                *lines, pending = (pending + event.data).split(b"\n")
                ages += [(now - int(line)) / 1e6 for line in lines]
    if len(ages) != count:
        raise Wrong(f"{len(ages)} lines of {count} came")
    return tuple(ages)
