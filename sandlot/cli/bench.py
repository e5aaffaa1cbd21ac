"""`sandlot bench`: what sandlot promises, measured beside baselines on this machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandlot import settings
from sandlot.contracts.errors import InvalidSpec

from . import arguments_bench, render, signals

_ROUNDS = 5
_QUICK_ROUNDS = 2


def main(words: Sequence[str]) -> int:
    """Measure; 0, or 1 when something was measured without a single success."""
    return signals.run(_measure(arguments_bench.bench().parse_intermixed_args(words)))


async def _measure(options: argparse.Namespace) -> int:
    if options.output:
        _prove_writable(Path(options.output))
    # Loaded only now: a mistake on the command line is told at once.
    from sandlot.bench import report, run, session

    effort = session.Effort(
        rounds=options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS),
        count=options.count,
        is_quick=options.quick,
    )
    progress = render.Progress()
    try:
        # What SANDLOT_URL names is for work, not for load: only a server named here is measured.
        document = await run.run(run.Asked(options.names, effort, options.url, settings.load().key), progress)
    finally:
        progress.end()
    _tell(document, options)
    return 0 if report.succeeded(document) else 1


def _tell(document: Mapping[str, Any], options: argparse.Namespace) -> None:
    from sandlot.bench import words

    if options.output:
        Path(options.output).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if options.json:
        render.document(document)
        return
    render.table(words.table(document))
    print()
    for line in words.notes(document):
        print(render.escaped(line))


def _prove_writable(path: Path) -> None:
    """See before ten minutes of measuring that their document can be kept."""
    try:
        path.open("a").close()
    except OSError as cause:
        raise InvalidSpec(f"--output {path} cannot be written: {cause.strerror}") from cause
