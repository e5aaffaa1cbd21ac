"""What a benchmark is: series to take in blocks, opened on a stage and measured beside baselines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandlot.contracts.errors import SandlotError
from sandlot.contracts.service import Service

from .connection import Door
from .summary import Round

Sample = Callable[[], Awaitable[float]]
"""One measured try: its milliseconds. Raises one of FAILURES when it did not do what it should."""
Progress = Callable[[str], None]


class Wrong(Exception):
    """The thing measured did something, but not what it was asked for."""


class NotBuilt(Wrong):
    """sandlot cannot do yet what would be measured."""


FAILURES = (SandlotError, Wrong, TimeoutError, OSError)
"""What makes a sample a failure; anything else is a bug of ours and ends the run."""


@dataclass(frozen=True, slots=True)
class Series:
    """One thing measured: `block(count)` takes that many samples."""

    name: str
    block: Callable[[int], Coroutine[Any, Any, Round]]


@dataclass(frozen=True, slots=True)
class Extents:
    """How far the benchmarks go that can be asked to go further.

    `density` is a number of idle sandboxes, `seconds` and `load` (of the measured capacity, 0 to 1) are the
    soak's, `cycles` those of benchmark cycles (None: its own number), `environment` the one that has numpy
    and pandas.
    """

    density: int = 200
    seconds: float = 60.0
    load: float = 0.7
    cycles: int | None = None
    environment: str = "data"


def nobody(_text: str) -> None:
    """Progress that nobody hears."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a benchmark may use.

    `service` and `door` lead over HTTP to the server under test (None for benchmarks that need none),
    `server` is that server's pid and `place` its directory when it is ours, `is_near` whether it shares this
    machine's clock, `scratch` an empty directory of its own.
    """

    scratch: Path
    service: Service | None = None
    door: Door | None = None
    server: int | None = None
    place: Path | None = None
    is_near: bool = True
    is_quick: bool = False
    extents: Extents = field(default_factory=Extents)
    progress: Progress = nobody

    @property
    def live(self) -> Service:
        """The server under test. Raises Wrong on a stage without one."""
        if self.service is None:
            raise Wrong("this benchmark needs a server")
        return self.service

    @property
    def entrance(self) -> Door:
        """Where the server under test listens. Raises Wrong on a stage without one."""
        if self.door is None:
            raise Wrong("this benchmark needs a server")
        return self.door

    @property
    def own_server(self) -> int:
        """The pid of the server under test. Raises Wrong when it is somebody else's."""
        if self.server is None:
            raise Wrong("this looks into the server's processes: leave --url out, for a server of its own")
        return self.server


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named measurement. `count` is how many samples a series takes per round unless the caller says.

    `opened` sets up, gives the series, and takes down. `baselines` are names of `bench.baselines`.
    `most_rounds` bounds the rounds of what is measured whole and not in samples; `is_counted` says whether
    --count means it, `is_warmed` whether samples are taken that do not count.
    """

    name: str
    does: str
    opened: Callable[[Stage], AbstractAsyncContextManager[tuple[Series, ...]]]
    baselines: tuple[str, ...]
    count: int = 200
    quick_count: int = 3
    needs_server: bool = True
    most_rounds: int | None = None
    is_counted: bool = True
    is_warmed: bool = True


def repeated(name: str, sample: Sample, *, pause: float = 0.0) -> Series:
    """The series of *sample* taken one after the other, *pause* seconds apart."""

    async def block(count: int) -> Round:
        times, errors = [], []
        for number in range(count):
            # Also without a pause: a sample may never wait, and then nobody would hear that we are to end.
            await asyncio.sleep(pause if number else 0.0)
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
