"""A run from end to end: the target is brought up, everything is measured, the document made."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandlot.wire.times import time_text

from . import catalogue, machine, report, session, target, tti
from .benchmark import Extents, Progress, Stage
from .session import Effort


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured: benchmarks by name (none: all), and a server's *url* (None: one of our own).

    *key* is the API key shown to that server.
    """

    names: Sequence[str] = ()
    effort: Effort = field(default_factory=Effort)
    extents: Extents = field(default_factory=Extents)
    url: str | None = None
    key: str | None = None


async def run(asked: Asked, progress: Progress) -> dict[str, Any]:
    """The document of a run; *progress* hears what is under way.

    Raises InvalidSpec for an unknown benchmark, and what keeps the server from being reached.
    """
    chosen = catalogue.named(asked.names, asked.extents.cycles)
    begun, before = time.time(), machine.load()
    with tempfile.TemporaryDirectory(prefix="sandlot-bench-") as scratch:
        wanted = any(benchmark.needs_server for benchmark in chosen)
        async with target.reached(
            asked.url, asked.key, asked.extents.environment, is_needed=wanted, progress=progress
        ) as reached:
            stage = Stage(
                Path(scratch),
                reached.service,
                reached.door,
                reached.server,
                reached.place,
                reached.is_near,
                asked.effort.is_quick,
                asked.extents,
                progress,
            )
            found = await session.measured(chosen, stage, asked.effort, progress)
    around = report.Circumstances(
        begun=time_text(begun),
        ended=time_text(time.time()),
        machine=machine.examined(),
        load_before=before,
        load_after=machine.load(),
        target=reached.words,
        facts=reached.facts,
        stagger=tti.stagger_of(is_quick=asked.effort.is_quick),
    )
    return report.document(found, asked.effort, around)
