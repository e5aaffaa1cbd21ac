"""Sixteen MiB into a sandbox and out of it, and what the server holds of them at its peak."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import cast

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.engine import Files

from . import baselines, live, memory
from .benchmark import Sample, Series, Stage, Wrong, elapsed, repeated
from .summary import Round, percentile

_PLACE = PurePosixPath("/workspace/transfer")
_PIECE = 2**18


@asynccontextmanager
async def upload(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """PUT files/content of bytes that do not compress."""
    async with _files(stage) as files:
        content = os.urandom(baselines.SIZE)

        async def sample() -> float:
            begun = time.perf_counter()
            written = await files.write(_PLACE, _pieces(content))
            took = elapsed(begun)
            if written != len(content):
                raise Wrong(f"{written} of {len(content)} bytes were written")
            return took

        yield (_watched("upload", sample, stage.server),)


@asynccontextmanager
async def download(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """GET files/content of the same."""
    async with _files(stage) as files:
        content = os.urandom(baselines.SIZE)
        await files.write(_PLACE, _pieces(content))

        async def sample() -> float:
            begun = time.perf_counter()
            got = await _length(files)
            took = elapsed(begun)
            if got != len(content):
                raise Wrong(f"{got} of {len(content)} bytes came")
            return took

        yield (_watched("download", sample, stage.server),)


@asynccontextmanager
async def _files(stage: Stage) -> AsyncIterator[Files]:
    async with live.sandbox(stage.live) as box:
        require(Feature.FILES, box.features, engine=box.engine)
        yield cast("Files", box)


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]


async def _length(files: Files) -> int:
    """How many bytes came; they are dropped as they come, as a client that stores them elsewhere would."""
    length = 0
    async for piece in files.read(_PLACE):
        length += len(piece)
    return length


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
