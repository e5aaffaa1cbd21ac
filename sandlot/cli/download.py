"""`sandlot download`: a directory's content or a file, copied out of a sandbox."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import AsyncIterator, Sequence

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import sandbox_path
from sandlot.trees.unpack import unpack

from . import arguments_sandboxes, outcome, render, service, signals, transfer


def main(words: Sequence[str]) -> int:
    """Copy what *words* ask for; 0."""
    parser = arguments_sandboxes.download()
    options = parser.parse_intermixed_args(words)
    if options.archive is not None and options.to is not None:
        parser.error("give --to DIR or -o FILE, not both")
    if options.archive is None:
        _make(Path(options.to or "."))
    if options.archive == "-" and sys.stdout.isatty():
        raise InvalidSpec("an archive is not for a terminal: use -o FILE, or a pipe")
    return signals.run(_download(options, service.asked(options)))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise InvalidSpec(f"{folder} cannot be made: {cause.strerror}") from cause


async def _download(options: argparse.Namespace, asked: service.Asked) -> int:
    source = sandbox_path(options.source)
    meter = transfer.Meter("downloading")
    try:
        async with service.opened(asked) as there:
            box = await there.reach(options.id)
            tar = box.get(source)
            try:
                where = await _kept(meter.counted(tar), options)
            finally:
                await outcome.closed(tar)
    finally:
        passed = meter.end()
    render.say(f"{source} downloaded to {where}: {passed}")
    return 0


async def _kept(tar: AsyncIterator[bytes], options: argparse.Namespace) -> str:
    """Where *tar* has been put."""
    if options.archive == "-":
        await _written(tar, sys.stdout.fileno())
        return "standard output"
    if options.archive is not None:
        with transfer.replacing(options.archive) as descriptor:
            await _written(tar, descriptor)
        return str(options.archive)
    folder = Path(options.to or ".")
    await unpack(tar, folder)
    return str(folder)


async def _written(tar: AsyncIterator[bytes], descriptor: int) -> None:
    async for data in transfer.gzipped(tar):
        await outcome.write(descriptor, data)
