"""Commands: run whole, or streamed, fed and killed while they run."""

from __future__ import annotations

import functools
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.command import Command
from sandlot.contracts.errors import Conflict, NotFound, Unsupported
from sandlot.contracts.events import Event
from sandlot.contracts.service import RunRequest
from sandlot.server import answers
from sandlot.server.access import caller_of, context_of, service_of
from sandlot.server.collected import MOST_COLLECTED, collected
from sandlot.server.policy import admit
from sandlot.server.reading import json_body, query_of, traced
from sandlot.wire import values
from sandlot.wire.events import SSE

from . import streams, translate
from .feed import Feed
from .reading import bounded, box_of, named
from .registry import Key, Runs, new_key
from .runs import Run
from .stay import Stay


class Commands:
    """The routes of commands."""

    def __init__(self, runs: Runs[Event]) -> None:
        """Keep streamed commands in *runs*."""
        self._runs = runs

    async def run(self, request: Request) -> Response:
        """POST /v1/run."""
        body = await json_body(request)
        asked = values.run_from(body)
        spec = admit(asked.spec, context_of(request).settings)
        media = translate.wanted_media(request.headers.get("accept"))
        command = bounded(request, body, traced(request, asked.command))
        wanted = RunRequest(command, spec, asked.files)
        if media not in streams.MEDIA:
            _refuse_much(wanted)
            result = await answers.unless_gone(request, service_of(request).run(wanted))
            return answers.json(values.result_to_json(result))
        return await self._streamed_run(request, wanted, media)

    async def execute(self, request: Request) -> Response:
        """POST /v1/sandboxes/{id}/exec."""
        body = await json_body(request)
        asked = values.command_from(body)
        media = translate.wanted_media(request.headers.get("accept"))
        command = bounded(request, body, traced(request, asked.command))
        if media not in streams.MEDIA:
            if asked.streams_stdin:
                raise Unsupported("stdinStream needs a streamed answer: accept application/x-ndjson")
            box = await box_of(request)
            return answers.json(
                values.result_to_json(await answers.unless_gone(request, collected(box, command)))
            )
        return await self._streamed(request, command, media, Feed() if asked.streams_stdin else None)

    async def resume(self, request: Request) -> Response:
        """GET .../exec/{exec}/events."""
        run = self._run_of(request)
        if not run.is_resumable:
            raise NotFound("the events of this command are not kept: ask for text/event-stream to resume it")
        after = streams.position(request, query_of(request))
        media = translate.wanted_media(request.headers.get("accept"), (SSE, *streams.MEDIA))
        return streams.answer(run, media, after)

    async def feed(self, request: Request) -> Response:
        """POST .../exec/{exec}/input."""
        run = self._run_of(request)
        end = query_of(request).flag("end")
        if run.feed is None:
            raise Conflict("this command takes no input by requests: run it with stdinStream")
        await answers.while_there(request, functools.partial(run.feed.give, end=end))
        return answers.nothing()

    async def kill(self, request: Request) -> Response:
        """DELETE .../exec/{exec}."""
        await self._run_of(request).kill()
        return answers.nothing()

    async def _streamed(self, request: Request, command: Command, media: str, feed: Feed | None) -> Response:
        box = await box_of(request)
        if feed is not None:
            command = replace(command, stdin=feed.pieces())
        key = new_key(caller_of(request).owner, named(request))
        self._runs.admit(key.owner)
        run = Run(
            box.run(command),
            self._runs.manner,
            is_resumable=media == SSE,
            feed=feed,
            name=key.number,
            facts=translate.facts_of(box),
        )
        self._runs.add(key, run)
        await streams.begun(request, run)
        return streams.answer(run, media)

    async def _streamed_run(self, request: Request, wanted: RunRequest, media: str) -> Response:
        owner = caller_of(request).owner
        self._runs.admit(owner)
        stay = Stay(service_of(request), wanted)
        run = Run(stay.events(), self._runs.manner, facts=stay.facts)
        self._runs.add(new_key(owner, ""), run)
        await streams.begun(request, run)
        return streams.answer(run, media)

    def _run_of(self, request: Request) -> Run[Event]:
        owner = caller_of(request).owner
        return self._runs.find(Key(owner, named(request), named(request, "exec")))


def _refuse_much(wanted: RunRequest) -> None:
    """Raise Unsupported when more output is asked for than one answer holds."""
    limit = wanted.command.output_limit or wanted.spec.limits.output
    if limit is not None and limit > MOST_COLLECTED:
        raise Unsupported(
            f"an output limit of {limit} is too much for one answer: use at most {MOST_COLLECTED} bytes, "
            "or stream it"
        )
