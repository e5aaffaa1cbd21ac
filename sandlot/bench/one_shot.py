"""One program in a sandbox of its own: over HTTP on one connection, and in this process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

from sandlot.contracts.command import Command
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import SandboxSpec
from sandlot.local.start import start

from . import private_server, talk, target
from .benchmark import NotBuilt, Sample, Series, Stage, Wrong, elapsed, repeated
from .connection import Connection, Door, door
from .talk import Calls

GAP = 0.004
"""Seconds between spaced requests: a sandbox that is parked anew while one runs is no part of the next."""

PRINT = "print(1)"
PRINTED = "1\n"


@asynccontextmanager
async def over_http(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """POST /v1/run of `print(1)`: spaced, and one right after the other."""
    with line(stage.entrance) as connection:
        sample = run(connection, Calls(stage.entrance).run(PRINT), PRINTED)
        yield repeated("spaced", sample, pause=GAP), repeated("back-to-back", sample)


@asynccontextmanager
async def pool_empty(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """The same on a second server whose pool has no depth: every sandbox is made while its caller waits."""
    _ = stage.own_server
    try:
        async with private_server.running(("--pool", "0")) as server:
            entrance = door(server.url)
            with line(entrance) as connection:
                await target.ready(connection, entrance, stage.progress)
                sample = run(connection, Calls(entrance).run(PRINT), PRINTED)
                yield (repeated("pool-empty", sample, pause=GAP),)
    except private_server.Refused as cause:
        raise NotBuilt(f"this server has no pool that could be empty ({cause})") from cause


@contextmanager
def line(entrance: Door) -> Iterator[Connection]:
    """A connection for the length of a block."""
    with closing(Connection(entrance)) as connection:
        yield connection


def run(connection: Connection, request: bytes, expected: str) -> Sample:
    """The sample of a one-shot on *connection* that writes *expected*."""

    async def sample() -> float:
        return talk.spoken(connection, talk.one_shot(request, expected))

    return sample


@asynccontextmanager
async def in_process(_stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """The same by engine bubblewrap without a server: what the agent and our walls add to `bwrap`."""
    service = start()
    request = RunRequest(Command(code=PRINT), SandboxSpec(engine="bubblewrap"))

    async def sample() -> float:
        begun = time.perf_counter()
        result = await service.run(request)
        took = elapsed(begun)
        if result.text != PRINTED or not result.ok:
            raise Wrong(f"{PRINT} gave {result.stdout[:40]!r}, {result.reason.value} {result.exit_code}")
        return took

    try:
        yield (repeated("bubblewrap-one-shot", sample),)
    finally:
        await service.close()
