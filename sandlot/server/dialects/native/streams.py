"""Streams of the events of commands and cells, begun and resumed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.events import Failed
from sandlot.contracts.result import error_of
from sandlot.server import answers
from sandlot.server.query import Query
from sandlot.wire.events import NDJSON, NDJSON_ALIVE, SSE, SSE_ALIVE

from .files import UNCACHED
from .runs import Run

Item = TypeVar("Item")
MEDIA = (NDJSON, SSE)
_LAST_EVENT = "last-event-id"


class EventBytes(Generic[Item]):
    """The events of a run numbered above *after*, as bytes of *media*. Raises Conflict as Run.read does."""

    def __init__(self, run: Run[Item], media: str, after: int = 0) -> None:
        """Take over from whoever read the run before."""
        self._run, self._media = run, media
        self._reader = run.read(after)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        batch = await anext(self._reader)
        write, name, facts = self._run.manner.written, self._run.name, self._run.facts
        return b"".join(write(self._media, number, event, name, facts) for number, event in batch)

    async def aclose(self) -> None:
        """Read no more."""
        await self._reader.aclose()


async def begun(request: Request, run: Run[Any], patience: float | None = None) -> None:
    """Wait until *run* has begun, or for *patience* seconds.

    Raises the error for which it has not begun, and ClientDisconnect.
    """
    try:
        async with asyncio.timeout(patience):
            first = await answers.unless_gone(request, run.first())
    except TimeoutError:
        return  # it waits for its turn: from now on the signs of life of its stream say that
    except BaseException:
        run.abandon()
        raise
    if isinstance(first, Failed):
        raise error_of(first)


def answer(run: Run[Any], media: str, after: int = 0) -> Response:
    """The events of *run* as they come."""
    pulse = SSE_ALIVE if media == SSE else NDJSON_ALIVE
    return answers.ByteStream(EventBytes(run, media, after), media, headers=UNCACHED, pulse=pulse)


def position(request: Request, query: Query) -> int:
    """After which event a stream is to go on (Last-Event-ID, or ?after=). Raises InvalidSpec."""
    after = query.count("after", 0)
    last = request.headers.get(_LAST_EVENT)
    if last is None:
        return after
    if not (last.isascii() and last.isdecimal() and len(last) <= 15):
        raise InvalidSpec(f"Last-Event-ID {last[:40]!r} is no event's number")
    return int(last)
