"""One program in a sandbox of its own: over HTTP on one connection, and in this process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sandlot.contracts.command import Command
from sandlot.contracts.result import Result
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import SandboxSpec
from sandlot.local.start import start

from .benchmark import Sample, Series, Stage, Wrong, elapsed, repeated

PAUSE = 0.05
"""Seconds between spaced requests: a warm pool has its next sandbox ready before the next one comes."""

_PRINT = Command(code="print(1)")


@asynccontextmanager
async def over_http(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """POST /v1/run of `print(1)`: spaced, and one right after the other."""
    sample = _run(stage.live.run, RunRequest(_PRINT))
    yield (
        repeated("spaced", sample, pause=0.001 if stage.is_quick else PAUSE),
        repeated("back-to-back", sample),
    )


@asynccontextmanager
async def in_process(_stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """The same by engine bubblewrap without a server: what the agent and our walls add to `bwrap`."""
    service = start()
    request = RunRequest(_PRINT, SandboxSpec(engine="bubblewrap"))
    try:
        yield (repeated("bubblewrap-one-shot", _run(service.run, request)),)
    finally:
        await service.close()


def _run(verb: Callable[[RunRequest], Awaitable[Result]], request: RunRequest) -> Sample:
    async def sample() -> float:
        begun = time.perf_counter()
        result = await verb(request)
        took = elapsed(begun)
        if result.stdout != b"1\n" or not result.ok:
            raise Wrong(f"print(1) gave {result.stdout[:40]!r}, {result.reason.value} {result.exit_code}")
        return took

    return sample
