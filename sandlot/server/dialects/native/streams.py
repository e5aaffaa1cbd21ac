"""Streams of a command's events, begun and resumed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.errors import InvalidSpec
from sandlot.server.answers import ByteStream
from sandlot.server.query import Query
from sandlot.wire.events import NDJSON, NDJSON_ALIVE, SSE, SSE_ALIVE

from . import translate
from .files import UNCACHED
from .runs import Run

MEDIA = (NDJSON, SSE)
_LAST_EVENT = "last-event-id"


class EventBytes:
    """The events of a run numbered above *after*, as bytes of *media*. Raises Conflict as Run.read does."""

    def __init__(self, run: Run, media: str, after: int = 0) -> None:
        """Take over from whoever read the run before."""
        self._run, self._media = run, media
        self._reader = run.read(after)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        batch = await anext(self._reader)
        name, facts = self._run.name, self._run.facts
        return b"".join(
            translate.event_bytes(self._media, number, event, name=name, facts=facts)
            for number, event in batch
        )

    async def aclose(self) -> None:
        """Read no more."""
        await self._reader.aclose()


def answer(run: Run, media: str, after: int = 0) -> Response:
    """The events of *run* as they come."""
    pulse = SSE_ALIVE if media == SSE else NDJSON_ALIVE
    return ByteStream(EventBytes(run, media, after), media, headers=UNCACHED, pulse=pulse)


def position(request: Request, query: Query) -> int:
    """After which event a stream is to go on (Last-Event-ID, or ?after=). Raises InvalidSpec."""
    after = query.count("after", 0)
    last = request.headers.get(_LAST_EVENT)
    if last is None:
        return after
    if not (last.isascii() and last.isdecimal() and len(last) <= 15):
        raise InvalidSpec(f"Last-Event-ID {last[:40]!r} is no event's number")
    return int(last)
