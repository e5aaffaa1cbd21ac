"""`sandlot upload`: files and directories of this machine, copied into a sandbox."""

from __future__ import annotations

import argparse
import os
from pathlib import Path, PurePosixPath
from typing import List, Sequence, Tuple

from sandlot.contracts.engine import Box
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import sandbox_path
from sandlot.trees import pack

from . import arguments_sandboxes, render, service, signals, transfer


def main(words: Sequence[str]) -> int:
    """Copy what *words* ask for; 0."""
    options = arguments_sandboxes.upload().parse_intermixed_args(words)
    paths = [_named(given) for given in options.paths]
    return signals.run(_upload(options, service.asked(options), paths, sandbox_path(options.to)))


def _named(given: str) -> Path:
    """The path *given*, with a name that it can have in the sandbox."""
    path = Path(os.path.abspath(given))
    if not path.name:
        raise InvalidSpec(f"{given} has no name of its own: upload what is in it")
    return path


async def _upload(
    options: argparse.Namespace, asked: service.Asked, paths: Sequence[Path], to: PurePosixPath
) -> int:
    meter = transfer.Meter("uploading")
    try:
        async with service.opened(asked) as there:
            box = await there.reach(options.id)
            for path in paths:
                await _put(box, path, to, meter)
    finally:
        passed = meter.end()
    render.say(f"{len(paths)} uploaded to {to}: {passed}")
    return 0


async def _put(box: Box, path: Path, to: PurePosixPath, meter: transfer.Meter) -> None:
    left_out: List[Tuple[str, str]] = []
    tar = pack.stream(path, path.name, lambda name, what: left_out.append((name, what)))
    await box.put(to, meter.counted(tar))
    for line in pack.leaving_out(left_out):
        render.say(line)
