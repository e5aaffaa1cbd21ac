"""A command in a box as people see it: its output as it comes, and in words how it ended."""

from __future__ import annotations

import os
import select
import stat
import sys
from typing import Any, AsyncGenerator, AsyncIterator, List

from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.events import Event, Reason, Stderr, Stdout
from sandlot.contracts.result import Result, fold

from . import readiness, render

_STEP = getattr(select, "PIPE_BUF", 512)  # what a writable pipe takes at once


async def run(box: Box, command: Command, *, stream: bool) -> Result:
    """The Result of *command*; with *stream* its output is written as it comes instead of kept.

    Our standard output is for what a handler returns, so what its program prints goes to standard error.
    """
    events = box.run(command)
    try:
        kept = await _kept(events, stream=stream, output=1 if command.handler is None else 2)
    finally:
        await closed(events)
    return fold(
        kept, engine=box.engine, isolation=box.isolation, enforced=box.enforced, failover=box.failover
    )


async def closed(iterator: AsyncIterator[Any]) -> None:
    """End *iterator*, used up or not, and wait for its clean-up.

    The protocols promise an iterator; a generator besides holds something alive until it is closed.
    """
    if isinstance(iterator, AsyncGenerator):
        await iterator.aclose()


async def _kept(events: AsyncIterator[Event], *, stream: bool, output: int) -> List[Event]:
    kept: List[Event] = []
    async for event in events:
        if stream and isinstance(event, (Stdout, Stderr)):
            await write(output if isinstance(event, Stdout) else 2, event.data)
        else:
            kept.append(event)
    return kept


async def write(descriptor: int, data: bytes) -> None:
    """All of *data*, as it is taken: a reader that stands still must not keep us from ending.

    Raises BrokenPipeError when the reader is gone.
    """
    is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)  # which never keeps us waiting
    while data:
        if not is_file:
            await readiness.writable(descriptor)
        data = data[os.write(descriptor, data if is_file else data[:_STEP]) :]


def tell(result: Result, *, as_json: bool, verbose: bool, called: bool = False) -> None:
    """How it went, for people on stderr or for programs on stdout, which a handler that was *called* has."""
    if as_json:
        render.document(result.to_json())
        return
    if result.has_result:
        render.document(result.result)
    elif called and result.ok:
        render.say("the program ended before its handler returned: there is no result")
    if result.reason not in (Reason.EXITED, Reason.SIGNALLED) or result.failover:
        render.say(_ending(result))
    for name, truncated in (("output", result.stdout_truncated), ("error", result.stderr_truncated)):
        if truncated:
            render.say(f"standard {name} was cut: --output keeps more")
    if verbose or sys.stderr.isatty():
        line = f"{result.engine}, isolation {result.isolation.name.lower()}, {result.duration:.3f} s"
        print(render.coloured(f"sandlot: {render.escaped(line)}", "dim", sys.stderr), file=sys.stderr)


def _ending(result: Result) -> str:
    what = {
        Reason.TIMEOUT: "the program ran out of time: --timeout gives it more",
        Reason.OUT_OF_MEMORY: "the program ran out of memory: --memory gives it more",
        Reason.OUTPUT_LIMIT: "the program was killed: it wrote far more than is kept (--output)",
        Reason.KILLED: "the program was killed",
        Reason.BOX_DIED: f"the sandbox died ({result.who} first): run it again",
    }.get(result.reason, "the program ended")
    return what + "".join(f"; not used: {engine}" for engine in result.failover)
