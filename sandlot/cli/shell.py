"""`sandlot shell`: a sandbox's terminal on ours."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from typing import Optional, Sequence, Tuple, cast

from sandlot import settings
from sandlot.client.async_terminal import AsyncRemoteTerminal
from sandlot.contracts.capability import Feature, require
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box, Terminal, Terminals
from sandlot.contracts.errors import BoxDied, ConnectionLost
from sandlot.contracts.events import Event, Exited, Failed, Reason, Stdout
from sandlot.contracts.paths import sandbox_path
from sandlot.contracts.result import error_of
from sandlot.wire.flows.terminals import KEPT_SECONDS

from . import arguments_sandboxes, keyboard, outcome, parsing, readiness, render, service, signals

_INSTEAD = "use `sandlot exec ID -- PROGRAM`"
_DEFAULT = ("/bin/sh", "-c", "command -v bash >/dev/null && exec bash; exec sh")
_STEP = 65536
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
"""Seconds between two tries to come back."""


def main(words: Sequence[str]) -> int:
    """Work at a terminal as *words* ask for; the program's exit code."""
    ours, argv = parsing.split(words)
    parser = arguments_sandboxes.shell()
    options = parser.parse_intermixed_args(ours)
    if options.program is not None and argv:
        parser.error("give PROGRAM or -- PROGRAM ARG..., not both")
    keyboard.require_terminal(_INSTEAD)
    named = () if options.program is None else (options.program,)
    command = Command(
        argv=_with_terminal(argv or named or _DEFAULT), workdir=sandbox_path(options.workdir), timeout=None
    )
    return signals.run(_work(options.id, service.asked(options), command))


def _with_terminal(argv: Tuple[str, ...]) -> Tuple[str, ...]:
    """*argv* told what kind of terminal ours is; over HTTP a terminal's program has no other variables."""
    said = settings.terminal_variables()
    return ("env", f"TERM={said['TERM']}", *argv) if "TERM" in said else argv


async def _work(sandbox: str, asked: service.Asked, command: Command) -> int:
    async with service.opened(asked) as there:
        return await _attached(await there.reach(sandbox), command)


async def _attached(box: Box, command: Command) -> int:
    """Run *command* on a terminal of *box* that is shown on ours; its exit code."""
    require(Feature.TERMINALS, box.features, engine=box.engine)
    terminal = await cast("Terminals", box).open(replace(command, tty=keyboard.size()))
    try:
        with keyboard.raw() as (reading, writing):
            end = await _connected(terminal, reading, writing)
    finally:
        await terminal.close()
    if end is None:
        render.say("left: the program was hung up on, the sandbox stays")
        return 128 + signal.SIGHUP
    if end.reason not in (Reason.EXITED, Reason.SIGNALLED):
        render.say(f"the program was ended: {end.reason.value}")
    return end.exit_code


async def _connected(terminal: Terminal, reading: int, writing: int) -> Optional[Exited]:
    """Show and type until the program ends, or None when whoever types leaves first."""
    showing = asyncio.ensure_future(_show(terminal, writing))
    typing = asyncio.ensure_future(_type(terminal, reading))
    resizing = asyncio.ensure_future(_resize(terminal))
    tasks = (showing, typing, resizing)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if showing.done():
            return showing.result()
        (typing if typing.done() else resizing).result()
        return None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _show(terminal: Terminal, writing: int) -> Exited:
    """Show what the program writes, over as many connections as it takes; how it ended."""
    while True:
        try:
            return await _shown(terminal, writing)
        except ConnectionLost as lost:
            if not isinstance(terminal, AsyncRemoteTerminal) or not terminal.is_resumable:
                raise
            await _tell(writing, "the connection was lost: trying to come back; Ctrl-] three times gives up")
            missed = await _taken_up(terminal, lost)
            await _tell(writing, f"back again; {missed} bytes of output are lost" if missed else "back again")
            await terminal.resize(keyboard.size())


async def _shown(terminal: Terminal, writing: int) -> Exited:
    event: Event
    async for event in terminal.events():
        if isinstance(event, Stdout):
            await outcome.write(writing, event.data)
        elif isinstance(event, Failed):
            raise error_of(event)
        elif isinstance(event, Exited):
            return event
    raise BoxDied("the terminal ended without telling how the program went: open it again")


async def _taken_up(terminal: AsyncRemoteTerminal, lost: ConnectionLost) -> int:
    """Come back while the server keeps the terminal; the bytes that were missed. Raises *lost* after it."""
    deadline, pause = time.monotonic() + KEPT_SECONDS, _FIRST_PAUSE
    while True:
        try:
            return await terminal.resume()
        except ConnectionLost:
            if time.monotonic() + pause > deadline:
                raise lost from None
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _tell(writing: int, message: str) -> None:
    """A message on a line of its own, of a terminal that leaves line ends to programs."""
    await outcome.write(writing, f"\r\nsandlot: {message}\r\n".encode())


async def _type(terminal: Terminal, reading: int) -> None:
    """Pass on what is typed; returns when whoever types leaves or the terminal is gone."""
    way = keyboard.WayOut()
    while not way.is_taken:
        await readiness.readable(reading)
        try:
            data = os.read(reading, _STEP)
        except OSError:
            return  # EIO: the terminal was hung up
        if not data:
            return
        way = way.after(data, time.monotonic())
        await terminal.type(data)


async def _resize(terminal: Terminal) -> None:
    """Pass on every new size of our window."""
    loop = asyncio.get_event_loop()
    changed = asyncio.Event()
    loop.add_signal_handler(signal.SIGWINCH, changed.set)
    try:
        while True:
            await changed.wait()
            changed.clear()
            await terminal.resize(keyboard.size())
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
