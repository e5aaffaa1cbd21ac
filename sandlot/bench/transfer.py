"""Sixteen MiB into a sandbox and out of it, and what the server holds of them at its peak."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace

from . import baselines, memory, one_shot, talk
from .benchmark import Sample, Series, Stage, Wrong, elapsed, repeated
from .connection import Connection
from .summary import Round, percentile
from .talk import Calls


@dataclass(frozen=True, slots=True)
class _Place:
    """A file in a sandbox, and the connection that leads there."""

    connection: Connection
    target: str


@asynccontextmanager
async def upload(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """PUT files/content of bytes that do not compress."""
    with _place(stage) as place:
        request = _put(stage, place)

        async def sample() -> float:
            begun = time.perf_counter()
            answer = place.connection.exchange(request)
            took = elapsed(begun)
            if talk.accepted(answer) != {"bytes": baselines.SIZE}:
                raise Wrong(f"not all bytes were written: {answer.body[:80]!r}")
            return took

        yield (_watched("upload", sample, stage.server),)


@asynccontextmanager
async def download(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """GET files/content of the same; it is dropped as it comes, as if it were stored elsewhere."""
    with _place(stage) as place, closing(Connection(stage.entrance, keeps=False)) as counting:
        talk.accepted(place.connection.exchange(_put(stage, place)))
        request = stage.entrance.request("GET", place.target)

        async def sample() -> float:
            begun = time.perf_counter()
            answer = counting.exchange(request)
            took = elapsed(begun)
            if (answer.status, answer.length) != (200, baselines.SIZE):
                raise Wrong(f"{answer.length} bytes of {baselines.SIZE} came with status {answer.status}")
            return took

        yield (_watched("download", sample, stage.server),)


@contextmanager
def _place(stage: Stage) -> Iterator[_Place]:
    calls, name = Calls(stage.entrance), talk.new_name()
    with one_shot.line(stage.entrance) as connection:
        talk.spoken(connection, talk.created(calls, name))
        try:
            yield _Place(connection, f"/v1/sandboxes/{name}/files/content?path=/workspace/transfer")
        finally:
            talk.spoken(connection, talk.deleted(calls, name))


def _put(stage: Stage, place: _Place) -> bytes:
    return stage.entrance.request("PUT", place.target, os.urandom(baselines.SIZE), kind="octet-stream")


def _watched(name: str, sample: Sample, server: int | None) -> Series:
    """The series of *sample* with its speed, and the growth of the process *server* at its peak."""
    plain = repeated(name, sample)

    async def block(count: int) -> Round:
        before = memory.begin(server)
        taken = await plain.block(count)
        figures = {}
        if taken.times:
            figures["megabytesPerSecond"] = baselines.SIZE / 1e6 / (percentile(taken.times, 50) / 1000)
        if before is not None and server is not None:
            figures["serverGrowthMiB"] = (memory.peak(server) - before) / 2**20
        return replace(taken, figures=figures)

    return Series(name, block)
