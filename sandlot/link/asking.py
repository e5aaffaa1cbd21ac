"""What is asked of an agent for a command: an order that says all of it, or a request and what follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sandlot.contracts.command import Command
from sandlot.contracts.handler import LARGEST_VALUE
from sandlot.wire.frames import MAX_PAYLOAD, Kind
from sandlot.wire.order import LONGEST_TEXT, Order, execution, program

from .connection import ConnectionEnded, Saying, Stream, StreamEnded
from .value import BEYOND_VALUE, asked

UNBOUNDED = 2**53 - 1
"""The output limit of what somebody reads along: terminals, and background processes with their ring."""

_LEAST_FLOOD = 64 * 2**20
_FLOOD_FACTOR = 16


def request(command: Command, env: Mapping[str, str], workdir: str, output_limit: int) -> dict[str, Any]:
    """The fields of the verb `run`; *env* is the whole environment of the program."""
    size = command.tty
    return {
        **({"argv": list(command.argv)} if command.argv else {"code": True}),
        "env": dict(env),
        "workdir": workdir,
        "timeout": command.timeout,
        "stdin": command.stdin is not None or size is not None or command.background,
        "tty": None if size is None else {"rows": size.rows, "columns": size.columns},
        "output_limit": output_limit,
        "flood_limit": _flood_limit(output_limit),
        "background": command.background,
        "last": command.last,
        "handler": asked(command.handler),
    }


def order(command: Command, env: Mapping[str, str], workdir: str, output_limit: int) -> Order | None:
    """*command* as an order that says all of it; None when it takes input or fits no frame (pure)."""
    if command.stdin is not None or command.tty is not None or command.background:
        return None
    try:
        said = _text(command, dict(env), workdir)
    except UnicodeEncodeError:  # the agent says what is wrong with it
        return None
    made = Order(
        timeout=command.timeout,
        keep=output_limit,
        drop=_flood_limit(output_limit),
        value=0 if command.handler is None else LARGEST_VALUE + BEYOND_VALUE,
        is_last=command.last,
        is_exec=bool(command.argv),
        text=said,
    )
    return made if len(made.text) <= LONGEST_TEXT else None


def _text(command: Command, env: dict[str, str], workdir: str) -> bytes:
    if command.argv:
        return execution(list(command.argv), env, workdir)
    told = asked(command.handler)
    call = None if told is None else {**told, "timeout": command.timeout}
    return program(env, workdir, call, _source(command))


def _flood_limit(output_limit: int) -> int:
    return min(max(_LEAST_FLOOD, _FLOOD_FACTOR * output_limit), UNBOUNDED)


def short(command: Command) -> tuple[Saying, ...] | None:
    """All that *command* is ever sent, when each part fits one frame; None when it takes `feeding`."""
    if not (command.stdin is None or isinstance(command.stdin, bytes)):
        return None
    said: list[Saying] = []
    if command.code is not None:
        said += [Saying(Kind.SOURCE, _source(command)), Saying(Kind.SOURCE_END)]
    if command.stdin:
        said.append(Saying(Kind.INPUT, command.stdin))
    said.append(Saying(Kind.INPUT_END))
    return tuple(said) if all(len(each.data) <= MAX_PAYLOAD for each in said) else None


def _source(command: Command) -> bytes:
    """Its text, and behind it the event of its handler."""
    event = b"" if command.handler is None else command.handler.text
    return (command.code or "").encode("utf-8", "surrogatepass") + event


async def send_source(stream: Stream, command: Command) -> None:
    """Send a command's text, if it is one of text. Raises StreamEnded, ConnectionEnded."""
    if command.code is not None:
        await stream.send(Kind.SOURCE, _source(command))
        stream.post(Kind.SOURCE_END)


@asynccontextmanager
async def feeding(stream: Stream, command: Command, *, end: bool = True) -> AsyncIterator[None]:
    """For the length of a block, send a command's text and standard input; *end* closes the latter.

    An input that fails kills the program, and its error is raised when the block ends well.
    """
    task = asyncio.ensure_future(_feed(stream, command, end=end))
    task.add_done_callback(lambda ended: stream.post(Kind.CANCEL) if _error_of(ended) else None)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    if (error := _error_of(task)) is not None:
        raise error


async def _feed(stream: Stream, command: Command, *, end: bool) -> None:
    try:
        await send_source(stream, command)
        async for data in command.input():
            await stream.send(Kind.INPUT, data)
        if end:
            stream.post(Kind.INPUT_END)
    except (StreamEnded, ConnectionEnded):
        return  # the reader of the stream is told how it ended


def _error_of(task: asyncio.Future[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()
