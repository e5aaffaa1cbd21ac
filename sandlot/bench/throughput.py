"""How many one-shots and bare requests come through: closed loops of eight clients in one thread."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from typing import Any

from . import one_shot, talk
from .benchmark import Series, Stage, repeated, told
from .crowd import Crowd
from .summary import Round
from .talk import Calls, Talk

CLIENTS = 8
RATE = "perSecond"


@asynccontextmanager
async def one_shots(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """Fresh sandboxes as fast as eight clients get them; the pool is refilled on the same cores meanwhile."""
    request = Calls(stage.entrance).run(one_shot.PRINT)
    with closing(Crowd(stage.entrance)) as crowd:
        yield (closed_loop("closed-loop", crowd, lambda: talk.one_shot(request, one_shot.PRINTED)),)


@asynccontextmanager
async def http_alone(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """GET /healthz: what the client, loopback and the server's HTTP cost before anything is done."""
    calls = Calls(stage.entrance)
    with one_shot.line(stage.entrance) as connection, closing(Crowd(stage.entrance)) as crowd:

        async def sample() -> float:
            return talk.spoken(connection, talk.health(calls))

        yield repeated("one-by-one", sample), closed_loop("closed-loop", crowd, lambda: talk.health(calls))


def closed_loop(name: str, crowd: Crowd, make: Callable[[], Talk[float]]) -> Series:
    """CLIENTS clients, each of which asks again as soon as it has its answer."""

    async def block(count: int) -> Round:
        begun, processor = time.perf_counter(), time.process_time()
        taken = await outcomes(crowd, make, count)
        seconds, ours = time.perf_counter() - begun, time.process_time() - processor
        if not taken.times:
            return taken
        figures = {RATE: len(taken.times) / seconds, "clientMicroseconds": ours / count * 1e6}
        return replace(taken, figures=figures)

    return Series(name, block)


async def outcomes(crowd: Crowd, make: Callable[[], Talk[float]], count: int) -> Round:
    """*count* talks by CLIENTS clients."""
    times: list[float] = []
    errors: list[str] = []

    def heard(_number: int, outcome: Any) -> None:
        if isinstance(outcome, BaseException):
            errors.append(told(outcome))
        else:
            times.append(outcome)

    await crowd.held(((0.0, lambda _due: make()) for _ in range(count)), heard, most=CLIENTS)
    return Round(tuple(times), tuple(errors))
