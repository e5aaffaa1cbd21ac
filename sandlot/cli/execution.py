"""What `sandlot run` does once it knows what to do: a box, files in, the program, files out, the end."""

from __future__ import annotations

import argparse
import asyncio
import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path

from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import InvalidSpec, NotFound
from sandlot.contracts.events import Event, Reason, Stderr, Stdout
from sandlot.contracts.paths import WORKSPACE, sandbox_path
from sandlot.contracts.result import Result
from sandlot.local import pack
from sandlot.local.asked import spec_of
from sandlot.local.iteration import ended
from sandlot.local.service import told
from sandlot.local.start import start
from sandlot.local.unpack import unpack
from sandlot.settings import Settings

from . import readiness, render

OUT = WORKSPACE / "out"
"""The directory of the workspace that `--out` fetches."""


async def execute(options: argparse.Namespace, chosen: Settings, command: Command) -> int:
    """Run *command* as *options* ask for; the exit code. Raises SandlotError kinds."""
    service = start()
    progress = render.Progress(only_live=True)
    waiting = asyncio.get_running_loop().call_later(render.PATIENCE, progress, "starting a sandbox")
    try:
        async with service.box(spec_of(chosen)) as box:
            waiting.cancel()
            progress.end()
            await _put(box, options.inputs)
            if options.out:
                await box.put(WORKSPACE, pack.once(pack.folders(OUT.name)))
            result = await _result(box, command, stream=not options.json)
            if options.out and result.reason is not Reason.BOX_DIED:
                await _fetch(box, Path(options.out))
    finally:
        waiting.cancel()
        progress.end()
        await service.close()
    _tell(result, options)
    return result.exit_code


async def _put(box: Box, inputs: Sequence[str]) -> None:
    for given in inputs:
        path, name = _target(given)
        left_out: list[tuple[str, str]] = []
        tar = pack.stream(path, name, lambda what, why: left_out.append((what, why)))  # noqa: B023 - used up here
        await box.put(WORKSPACE, tar)
        for line in pack.leaving_out(left_out):
            render.say(line)


def _target(given: str) -> tuple[Path, str]:
    """The host's path of `PATH[:TARGET]`, and its name in the workspace."""
    source, colon, target = given.rpartition(":")
    if not colon or Path(given).exists():
        source, target = given, ""
    path = Path(os.path.abspath(source))
    wanted = sandbox_path(target or ".")
    if not wanted.is_relative_to(WORKSPACE):
        raise InvalidSpec(f"--in {given!r}: {target} is not below {WORKSPACE}: give a relative target")
    if wanted == WORKSPACE or target.endswith("/"):
        wanted /= path.name or "root"
    return path, str(wanted.relative_to(WORKSPACE))


async def _result(box: Box, command: Command, *, stream: bool) -> Result:
    kept: list[Event] = []
    async with ended(box.run(command)) as events:
        async for event in events:
            if stream and isinstance(event, (Stdout, Stderr)):
                await _write(1 if isinstance(event, Stdout) else 2, event.data)
            else:
                kept.append(event)
    return told(box, kept)


async def _write(descriptor: int, data: bytes) -> None:
    """All of *data*, as it is taken: a reader that stands still must not keep us from ending.

    Raises BrokenPipeError when the reader is gone.
    """
    while data:
        await readiness.writable(descriptor)
        data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]  # what a writable pipe takes at once


async def _fetch(box: Box, target: Path) -> None:
    try:
        async with ended(box.get(OUT)) as tar:
            await unpack(tar, target)
    except NotFound:
        render.say(f"the program removed {OUT}: nothing was copied to {target}")


def _tell(result: Result, options: argparse.Namespace) -> None:
    if options.json:
        render.document(result.to_json())
        return
    if result.reason not in (Reason.EXITED, Reason.SIGNALLED) or result.failover:
        render.say(_ending(result))
    for name, truncated in (("output", result.stdout_truncated), ("error", result.stderr_truncated)):
        if truncated:
            render.say(f"standard {name} was cut: --output keeps more")
    if options.verbose or sys.stderr.isatty():
        line = f"{result.engine}, isolation {result.isolation.name.lower()}, {result.duration:.3f} s"
        print(render.coloured(f"sandlot: {line}", "dim", sys.stderr), file=sys.stderr)


def _ending(result: Result) -> str:
    what = {
        Reason.TIMEOUT: "the program ran out of time: --timeout gives it more",
        Reason.OUT_OF_MEMORY: "the program ran out of memory: --memory gives it more",
        Reason.OUTPUT_LIMIT: "the program was killed: it wrote far more than is kept (--output)",
        Reason.KILLED: "the program was killed",
        Reason.BOX_DIED: f"the sandbox died ({result.who} first): run it again",
    }.get(result.reason, "the program ended")
    return what + "".join(f"; not used: {engine}" for engine in result.failover)
