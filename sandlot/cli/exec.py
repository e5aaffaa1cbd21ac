"""`sandlot exec`: a program in a sandbox that exists; its output as it comes, its exit code as ours."""

from __future__ import annotations

import argparse
import contextlib
from typing import AsyncIterator, Dict, Sequence, Tuple, Union

from sandlot import settings
from sandlot.contracts.command import Command
from sandlot.contracts.errors import Unsupported
from sandlot.contracts.paths import sandbox_path

from . import (
    arguments_sandboxes,
    calling,
    keyboard,
    outcome,
    parsing,
    program,
    ps,
    render,
    service,
    signals,
    stdin,
)


def main(words: Sequence[str]) -> int:
    """Run what *words* ask for; the program's exit code."""
    parser = arguments_sandboxes.execute()
    options, argv = program.parsed(parser, words)
    if options.detach and (options.json or options.tty or options.interactive):
        parser.error("-d goes without -i, -t and --json: the program runs on without us")
    if options.detach and options.local:
        raise Unsupported("with --local what runs in a sandbox ends with the command: -d needs a server")
    asked = service.asked(options, {"timeout": options.timeout, "output": options.output})
    command = _command(options, argv, asked)
    if options.detach:
        return signals.run(_start(options.id, asked, command))
    return signals.run(_execute(options, asked, command))


def _command(options: argparse.Namespace, argv: Tuple[str, ...], asked: service.Asked) -> Command:
    is_bounded = options.timeout is not None or not (options.tty or options.detach)
    return Command(
        argv=argv,
        code=program.code_of(options),
        stdin=_input(options),
        env={**_kind(options), **parsing.variables(options.env)},
        workdir=sandbox_path(options.workdir),
        timeout=asked.settings.timeout if is_bounded else None,
        tty=keyboard.size() if options.tty else None,
        background=options.detach,
        output_limit=asked.settings.output,
        handler=calling.handler_of(options),
    )


def _kind(options: argparse.Namespace) -> Dict[str, str]:
    """What tells a program on a terminal how to write to it."""
    said = settings.terminal_variables()
    return {"TERM": said["TERM"]} if options.tty and "TERM" in said else {}


def _input(options: argparse.Namespace) -> Union[bytes, AsyncIterator[bytes], None]:
    if options.detach:
        return b""  # its standard input ends at once: nobody is there to write to it
    if "-" in (options.file, options.event):
        return None
    return stdin.for_program(also_terminal=options.interactive)


async def _start(sandbox: str, asked: service.Asked, command: Command) -> int:
    async with service.opened(asked) as there:
        print(render.escaped(await (await ps.reached(there, sandbox)).start(command)))
    return 0


async def _execute(options: argparse.Namespace, asked: service.Asked, command: Command) -> int:
    async with service.opened(asked) as there:
        box = await there.reach(options.id)
        with _terminal(options):
            result = await outcome.run(box, command, stream=not options.json)
    outcome.tell(result, as_json=options.json, verbose=False, called=command.handler is not None)
    return result.exit_code


def _terminal(options: argparse.Namespace) -> contextlib.AbstractContextManager[object]:
    """With -i and -t at a terminal the keys are the program's, Ctrl-C among them."""
    if options.interactive and options.tty and not options.json and keyboard.is_terminal():
        return keyboard.raw()
    return contextlib.nullcontext()
