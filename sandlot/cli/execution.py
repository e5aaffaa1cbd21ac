"""What `sandlot run` does once it knows what to do: a box, files in, the program, files out, the end."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.cell_result import CellFold
from sandlot.contracts.cells import Cell, CellStatus
from sandlot.contracts.command import Command
from sandlot.contracts.contexts import Contexts, ContextSpec
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import InvalidSpec, NotFound
from sandlot.contracts.events import Reason
from sandlot.contracts.paths import WORKSPACE, sandbox_path
from sandlot.contracts.streams import ended
from sandlot.local.asked import spec_of
from sandlot.local.start import start
from sandlot.settings import Settings
from sandlot.trees import pack
from sandlot.trees.unpack import unpack

from . import cells, outcome, pictures, render

OUT = WORKSPACE / "out"
"""The directory of the workspace that `--out` fetches."""


async def execute(options: argparse.Namespace, chosen: Settings, command: Command) -> int:
    """Run *command* as *options* ask for; the exit code. Raises SandlotError kinds."""
    service = start(is_brief=True)
    progress = render.Progress(only_live=True)
    waiting = asyncio.get_running_loop().call_later(render.PATIENCE, progress, "starting a sandbox")
    try:
        async with service.box(spec_of(chosen)) as box:
            waiting.cancel()
            progress.end()
            await _put(box, options.inputs)
            if options.out:
                await box.put(WORKSPACE, pack.once(pack.folders(OUT.name)))
            if options.context:
                return await _run_cell(box, options, command)
            result = await outcome.run(box, command, stream=not options.json)
            if options.out and result.reason is not Reason.BOX_DIED:
                await _fetch(box, Path(options.out))
    finally:
        waiting.cancel()
        progress.end()
        await service.close()
    called = command.handler is not None
    outcome.tell(result, as_json=options.json, verbose=options.verbose, called=called)
    return result.exit_code


async def _run_cell(box: Box, options: argparse.Namespace, command: Command) -> int:
    """Run the code of *command* as a cell, shown as it comes; its exit code."""
    require(Feature.CONTEXTS, box.features, engine=box.engine)
    shower = cells.Shower(pictures.Album(None), with_numbers=False)
    context = await cast("Contexts", box).open_context(ContextSpec(options.language, env=command.env))
    folded = CellFold()
    async with ended(context.run(Cell(command.code or "", timeout=command.timeout))) as events:
        async for event in events:
            folded.add(event)
            if not options.json:
                shower.show(event)
    if options.out and folded.result.status is not CellStatus.DIED:
        await _fetch(box, Path(options.out))
    if options.json:
        render.document(folded.result.to_json())
    return cells.EXIT_CODES[folded.result.status]


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


async def _fetch(box: Box, target: Path) -> None:
    try:
        async with ended(box.get(OUT)) as tar:
            await unpack(tar, target)
    except NotFound:
        render.say(f"the program removed {OUT}: nothing was copied to {target}")
