"""What it costs to import sandlot, and to ask its command line for help."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from . import spawn
from .benchmark import Series, Stage, elapsed, repeated
from .summary import Round

_LOADED = """
import sys
before = set(sys.modules)
import sandlot
import json
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@asynccontextmanager
async def costs(_stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """A new process of this interpreter each time."""
    yield (
        _with_foreign_modules(_started("import", "-c", "import sandlot")),
        _started("help", "-m", "sandlot.cli.main", "--help"),
    )


def _started(name: str, *words: str) -> Series:
    async def sample() -> float:
        begun = time.perf_counter()
        spawn.to_end((sys.executable, *words), spawn.OURS)
        return elapsed(begun)

    return repeated(name, sample)


def _with_foreign_modules(series: Series) -> Series:
    """*series* with the number of modules that are neither ours nor the standard library's."""

    async def block(count: int) -> Round:
        return replace(await series.block(count), figures={"foreignModules": float(len(_foreign()))})

    return Series(series.name, block)


def _foreign() -> list[str]:
    done = subprocess.run(
        (sys.executable, "-c", _LOADED), env=spawn.OURS, stdout=subprocess.PIPE, check=True, timeout=60
    )
    tops = {str(name).partition(".")[0] for name in json.loads(done.stdout)}
    return sorted(tops - sys.stdlib_module_names - {"sandlot"})
