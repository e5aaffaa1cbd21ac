"""`sandlot doctor`: what each engine has just proven on this machine, and what is missing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from sandlot import settings
from sandlot.contracts.capability import Feature, Viability
from sandlot.environments import native
from sandlot.local.asked import environment_of
from sandlot.local.examine import Examination, examine

from . import arguments, render, signals


def main(words: Sequence[str]) -> int:
    """Probe every engine; 0 when one can be the default, else 125."""
    options = arguments.doctor().parse_args(words)
    chosen = settings.load()
    return signals.run(_report(chosen, as_json=options.json))


async def _report(chosen: settings.Settings, *, as_json: bool) -> int:
    progress = render.Progress(patient=True)
    try:
        found = await examine(progress)
    finally:
        progress.end()
    if as_json:
        render.document(_document(found, chosen))
    else:
        _words(found, chosen)
    return 0 if found.default else 125


def _document(found: Examination, chosen: settings.Settings) -> dict[str, Any]:
    return {
        "default": found.default,
        "environment": environment_of(chosen),
        "firstProcess": {"compiled": native.library().path is not None, "why": native.library().why},
        "engines": [_entry(viability) for viability in found.engines],
    }


def _entry(found: Viability) -> dict[str, Any]:
    return {
        "engine": found.engine,
        "works": found.works,
        "isolation": found.isolation.name.lower(),
        "enforced": list(found.enforced),
        "features": _features(found.features),
        "cause": found.cause,
        "remedy": found.remedy,
        "seconds": round(found.seconds, 4),
    }


def _words(found: Examination, chosen: settings.Settings) -> None:
    for viability in found.engines:
        default = " (default)" if viability.engine == found.default else ""
        state = "works" if viability.works else "does not work here"
        mark = render.coloured(state, "good" if viability.works else "bad", sys.stdout)
        print(f"{render.coloured(render.escaped(viability.engine), 'strong', sys.stdout)}: {mark}{default}")
        rows = _proven(viability) if viability.works else _lacking(viability)
        render.table([("  " + name, text) for name, text in rows])
        print()
    print(f"environment: {environment_of(chosen)}")
    print(f"first process of a box: {_first_process()}")
    if not found.default:
        print("no engine reaches isolation namespace here: see the remedies above")


def _first_process() -> str:
    found = native.library()
    return found.why if found.path is not None else f"an interpreter, which costs more ({found.why})"


def _proven(found: Viability) -> list[tuple[str, str]]:
    return [
        ("isolation", found.isolation.name.lower()),
        ("proven", render.listing(found.enforced)),
        ("can", render.listing(_features(found.features))),
        ("took", f"{found.seconds * 1000:.0f} ms from start to result"),
    ]


def _lacking(found: Viability) -> list[tuple[str, str]]:
    rows = [("because", found.cause or "no reason known")]
    return [*rows, ("remedy", found.remedy)] if found.remedy else rows


def _features(features: Feature) -> list[str]:
    return [feature.name.lower() for feature in features if feature.name]
