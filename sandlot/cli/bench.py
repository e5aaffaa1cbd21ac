"""`sandlot bench`: what sandlot promises, measured beside baselines on this machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandlot import settings
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import identifier

from . import arguments_bench, render, signals

if TYPE_CHECKING:
    from sandlot.bench.run import Asked

_ROUNDS = 5
_QUICK_ROUNDS = 2
_MOST_CYCLES = 1_000_000


def main(words: Sequence[str]) -> int:
    """Measure; 0, or 1 when a promise is missed or something was measured without a single success."""
    return signals.run(_measure(arguments_bench.bench().parse_intermixed_args(words)))


async def _measure(options: argparse.Namespace) -> int:
    # Loaded only now: a mistake on the command line is told at once.
    from sandlot.bench import plot, report, run

    asked = _asked(options)
    if options.output:
        _prove_writable(Path(options.output))
    if options.plot:
        plot.prove_possible(Path(options.plot))
    progress = render.Progress()
    try:
        document = await run.run(asked, progress)
    finally:
        progress.end()
    _tell(document, options)
    missed = report.missed(document)
    for line in missed:
        render.say(f"missed: {line}")
    return 1 if missed else 0


def _asked(options: argparse.Namespace) -> Asked:
    from sandlot.bench import benchmark, run, session

    names, cycles = named_and_counted(options.names)
    effort = session.Effort(
        rounds=options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS),
        count=options.count,
        is_quick=options.quick,
    )
    extents = benchmark.Extents(
        density=options.density,
        seconds=options.seconds,
        load=options.load,
        cycles=cycles,
        environment=identifier(options.data_environment, "environment"),
    )
    # What SANDLOT_URL names is for work, not for load: only a server named here is measured.
    return run.Asked(names, effort, extents, options.url, settings.load().key)


def named_and_counted(words: Sequence[str]) -> tuple[list[str], int | None]:
    """The names among *words*, and the number that stands after `cycles`.

    Raises InvalidSpec for a number anywhere else, and for one that cannot be a count.
    """
    names: list[str] = []
    cycles = None
    for word in words:
        if not word.isdecimal():
            names.append(word)
        elif names[-1:] != ["cycles"] or cycles is not None or not 1 <= int(word) <= _MOST_CYCLES:
            raise InvalidSpec(
                f"{word} stands where no count may: write it as `cycles {word}`, 1 to {_MOST_CYCLES}"
            )
        else:
            cycles = int(word)
    return names, cycles


def _tell(document: Mapping[str, Any], options: argparse.Namespace) -> None:
    from sandlot.bench import plot, words

    if options.output:
        Path(options.output).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if options.plot:
        plot.draw(document, Path(options.plot))
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
