"""`sandlot env`: create, list and remove the Pythons that sandboxes see."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from sandlot import settings
from sandlot.contracts.errors import InvalidSpec
from sandlot.environments import registry
from sandlot.environments.environment import Environment

from . import arguments, render


def main(words: Sequence[str]) -> int:
    """Do what *words* ask for; 0."""
    options = arguments.env().parse_args(words)
    chosen = settings.load()
    if options.verb == "create":
        return _create(options, chosen)
    if options.verb == "remove":
        registry.remove(options.name, chosen.data_directory)
        render.say(f"environment {options.name} is removed")
        return 0
    return _list(chosen, as_json=options.json)


def _create(options: argparse.Namespace, chosen: settings.Settings) -> int:
    from sandlot.environments.build import Recipe, create
    from sandlot.local.start import start
    from sandlot.local.workshop import LocalWorkshop

    from . import signals

    recipe = Recipe(
        name=options.name,
        python=_interpreter(options.python),
        requirements=Path(options.requirement) if options.requirement else None,
        packages=tuple(options.packages),
        preload=tuple(options.preload),
        source=options.allow_source,
    )
    progress = render.Progress()

    async def build() -> int:
        service = start()
        try:
            made = await create(
                recipe,
                LocalWorkshop(service),
                data=chosen.data_directory,
                installer=settings.installer_variables(),
                progress=progress,
            )
        finally:
            progress.end()
            await service.close()
        if options.json:
            render.document(made.to_json())
        else:
            render.say(f"environment {made.name} is ready (Python {made.version}): --environment {made.name}")
        return 0

    return signals.run(build())


def _interpreter(asked: str | None) -> Path:
    """The interpreter *asked* for, by path or by name on PATH."""
    if asked is None:
        return registry.SYSTEM_PYTHON
    found = asked if os.path.dirname(asked) else shutil.which(asked)
    if found is None:
        raise InvalidSpec(f"there is no interpreter {asked!r} on PATH: give its path")
    return Path(os.path.abspath(found))


def _list(chosen: settings.Settings, *, as_json: bool) -> int:
    found = registry.listed(chosen.data_directory)
    if as_json:
        render.document({"environments": [_entry(item) for item in found]})
        return 0
    rows = [("NAME", "PYTHON", "PRELOAD", "PACKAGES"), *(_row(item) for item in found)]
    render.table(rows)
    return 0


def _entry(item: Environment | registry.Broken) -> dict[str, object]:
    if isinstance(item, Environment):
        return item.to_json()
    return {"name": item.name, "error": item.cause}


def _row(item: Environment | registry.Broken) -> tuple[str, str, str, str]:
    if isinstance(item, Environment):
        return item.name, item.version, render.listing(item.preload), render.listing(item.packages)
    return item.name, "damaged", "-", item.cause
