"""`sandlot ps`: what runs in a sandbox."""

from __future__ import annotations

import argparse
import shlex
import time
from typing import Any, Mapping, Sequence, Tuple, cast

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.engine import Processes
from sandlot.contracts.service import Service
from sandlot.wire.entries import row_to_json

from . import arguments_sandboxes, render, service, signals, statuses

_HEAD = ("PROCESS", "STATE", "KIND", "AGE", "COMMAND")


def main(words: Sequence[str]) -> int:
    """List what *words* ask for; 0."""
    options = arguments_sandboxes.ps().parse_intermixed_args(words)
    return signals.run(_list(options, service.asked(options)))


async def reached(there: Service, sandbox: str) -> Processes:
    """The processes of *sandbox*. Raises NotFound, Unsupported."""
    box = await there.reach(sandbox)
    require(Feature.PROCESSES, box.features, engine=box.engine)
    return cast("Processes", box)


async def _list(options: argparse.Namespace, asked: service.Asked) -> int:
    async with service.opened(asked) as there:
        found = await (await reached(there, options.id)).processes()
    if options.json:
        render.document({"processes": [row_to_json(row) for row in found]})
    else:
        now = time.time()
        render.table([_HEAD, *(_cells(row, now) for row in found)])
    return 0


def _cells(row: Mapping[str, Any], now: float) -> Tuple[str, ...]:
    started = row.get("started")
    return (
        str(row["id"]),
        "running" if row["running"] else _ending(row),
        "background" if row["background"] else "command",
        "-" if started is None else statuses.length(now - started),
        " ".join(map(shlex.quote, row["argv"])) or "-",
    )


def _ending(row: Mapping[str, Any]) -> str:
    if row.get("signal") is not None:
        return f"signal {row['signal']}"
    return f"exited {row.get('exit_code')}"
