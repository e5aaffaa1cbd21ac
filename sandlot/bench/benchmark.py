"""What a benchmark is: series to take in blocks, opened on a stage and measured beside baselines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandlot.contracts.errors import SandlotError
from sandlot.contracts.service import Service

from .summary import Round

Sample = Callable[[], Awaitable[float]]
"""One measured try: its milliseconds. Raises one of FAILURES when it did not do what it should."""


class Wrong(Exception):
    """The thing measured did something, but not what it was asked for."""


FAILURES = (SandlotError, Wrong, TimeoutError, OSError)
"""What makes a sample a failure; anything else is a bug of ours and ends the run."""


@dataclass(frozen=True, slots=True)
class Series:
    """One thing measured: `block(count)` takes that many samples."""

    name: str
    block: Callable[[int], Coroutine[Any, Any, Round]]


@dataclass(frozen=True, slots=True)
class Stage:
    """What a benchmark may use.

    `service` speaks HTTP to the server under test (None for benchmarks that need none), `server` is that
    server's pid when it is ours, `is_near` whether it shares this machine's clock, `scratch` an empty
    directory of its own.
    """

    scratch: Path
    service: Service | None = None
    server: int | None = None
    is_near: bool = True
    is_quick: bool = False

    @property
    def live(self) -> Service:
        """The server under test. Raises Wrong on a stage without one."""
        if self.service is None:
            raise Wrong("this benchmark needs a server")
        return self.service


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named measurement. `count` is how many samples a series takes per round unless the caller says.

    `opened` sets up, gives the series, and takes down. `baselines` are names of `bench.baselines`.
    """

    name: str
    does: str
    opened: Callable[[Stage], AbstractAsyncContextManager[tuple[Series, ...]]]
    baselines: tuple[str, ...]
    count: int = 200
    quick_count: int = 3
    needs_server: bool = True


def repeated(name: str, sample: Sample, *, pause: float = 0.0) -> Series:
    """The series of *sample* taken one after the other, *pause* seconds apart."""

    async def block(count: int) -> Round:
        times, errors = [], []
        for number in range(count):
            if number and pause:
                await asyncio.sleep(pause)
            try:
                times.append(await sample())
            except FAILURES as error:
                errors.append(told(error))
        return Round(tuple(times), tuple(errors))

    return Series(name, block)


def told(error: BaseException) -> str:
    """What a failed sample is counted under: a stable code, and words for people."""
    kind = error.code if isinstance(error, SandlotError) else type(error).__name__
    return f"{kind}: {error}"[:200]


def elapsed(since: float) -> float:
    """Milliseconds since *since*, a reading of time.perf_counter."""
    return (time.perf_counter() - since) * 1000
