"""Cells in contexts: one by one and many at once over WebSockets, a context's first result, its memory."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from . import cell_line, census, idle, one_shot, prepared, talk, throughput
from .benchmark import FAILURES, Series, Stage, Wrong, elapsed, repeated, told
from .cell_line import CellLine
from .connection import Answer, Connection
from .crowd import Crowd
from .summary import Round
from .talk import Calls, Talk

APART = 0.1
"""Seconds between two contexts, in which a sandbox gets the next one ready."""

CELL = one_shot.PRINT
_WRITTEN = one_shot.PRINTED
_ASKED = cell_line.cell(CELL)
_SHELL = "IPython"
_MEASURED = 20
_MEASURED_QUICK = 2


@dataclass(frozen=True, slots=True)
class Home:
    """A sandbox whose contexts are measured, and the connection to its server."""

    calls: Calls
    connection: Connection
    sandbox: str

    def opened(self) -> str:
        """The name of a new context. Raises Wrong where its shell is not IPython's."""
        made = talk.accepted(self.connection.exchange(self.calls.context(self.sandbox)))
        shell = made["facts"]["shell"]
        if shell != _SHELL.lower():
            raise Wrong(f"the shell of a context is {shell}: the environment has no IPython")
        return str(made["id"])

    def line(self, context: str) -> CellLine:
        """A WebSocket for cells in *context*."""
        return CellLine(self.calls.door, self.sandbox, context)

    def ran(self, context: str, code: str = CELL, expected: str = _WRITTEN) -> float:
        """Milliseconds of a cell of *code*, which writes *expected*."""
        return talk.spoken(self.connection, cell(self.calls.cell(self.sandbox, context, code), expected))


@asynccontextmanager
async def one_by_one(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """`print(1)` in a context that lives, one after the other on one WebSocket."""
    with _home(stage) as home, closing(home.line(home.opened())) as line:

        async def sample() -> float:
            return talk.spoken(line, asked(_ASKED))

        yield (repeated("cell", sample),)


@asynccontextmanager
async def fresh(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """A context from the request that makes it to the result of its first cell; closed outside the clock."""
    with _home(stage) as home:

        async def sample() -> float:
            begun = time.perf_counter()
            context = home.opened()
            home.ran(context)
            took = elapsed(begun)
            talk.accepted(home.connection.exchange(home.calls.close(home.sandbox, context)))
            return took

        yield repeated("context", sample, pause=APART), repeated("context-back-to-back", sample)


@asynccontextmanager
async def many(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """As many contexts as clients, each of which asks for the next cell as soon as it has had its last."""
    with _home(stage) as home:
        turns = itertools.cycle([home.opened() for _ in range(throughput.CLIENTS)])
        with closing(Crowd(stage.entrance, lambda: home.line(next(turns)))) as crowd:
            yield (throughput.closed_loop("cells", crowd, lambda: asked(_ASKED)),)


@asynccontextmanager
async def memory(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """What each of twenty idle contexts takes that have imported pandas."""
    server, count = stage.own_server, _MEASURED_QUICK if stage.is_quick else _MEASURED
    with _home(stage) as home:

        async def block(_count: int) -> Round:
            await census.settled(server, None)
            before = idle.weighed(server)
            opened: list[str] = []
            try:
                times = _filled(home, opened, count)
                await census.settled(server, None)
                figures = idle.weights(before, idle.weighed(server), len(opened))
            except FAILURES as error:
                return Round((), (told(error),))
            finally:
                for each in opened:
                    home.connection.exchange(home.calls.close(home.sandbox, each))
            return Round(times, figures=figures)

        yield (Series("context-memory", block),)


def _filled(home: Home, opened: list[str], count: int) -> tuple[float, ...]:
    """*count* contexts in which pandas was imported and used; *opened* gets their names."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        opened.append(home.opened())
        home.ran(opened[-1], prepared.PANDAS, prepared.WRITTEN)
        times.append(elapsed(begun))
    return tuple(times)


@contextmanager
def _home(stage: Stage) -> Iterator[Home]:
    """A sandbox in the environment with IPython. Raises Wrong where there is none."""
    environment = stage.extents.environment
    if stage.server is not None:
        prepared.prove_present(environment, _SHELL)
    calls, name = Calls(stage.entrance), talk.new_name()
    with one_shot.line(stage.entrance) as connection:
        talk.accepted(connection.exchange(calls.create(name, environment)))
        try:
            yield Home(calls, connection, name)
        finally:
            talk.spoken(connection, talk.deleted(calls, name))


def cell(request: bytes, expected: str) -> Talk[float]:
    """Milliseconds of a cell that ends well and writes *expected*."""
    begun = time.perf_counter()
    answer = yield request
    took = elapsed(begun)
    _prove(answer, expected)
    return took


def asked(frame: bytes) -> Talk[float]:
    """Milliseconds of a cell of `print(1)` over a WebSocket."""
    begun = time.perf_counter()
    answer = yield frame
    took = elapsed(begun)
    status, written = cell_line.told(answer)
    if (status, written) != ("ok", _WRITTEN):
        raise Wrong(f"the cell gave {status} and wrote {written[:60]!r}")
    return took


def _prove(answer: Answer, expected: str) -> None:
    result: dict[str, Any] = talk.accepted(answer)
    if result.get("status") != "ok" or result.get("stdout") != expected:
        raise Wrong(f"the cell gave {result.get('status')} and wrote {str(result.get('stdout'))[:60]!r}")
