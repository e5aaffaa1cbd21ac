"""One-shots that import numpy or pandas, in an environment that has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sandlot.contracts.errors import SandlotError
from sandlot.environments import registry

from . import one_shot
from .benchmark import Series, Stage, Wrong, repeated
from .talk import Calls, accepted

NUMPY = "import numpy; print(int(numpy.arange(5).sum()))"
PANDAS = "import pandas; print(int(pandas.Series([1, 2, 3, 4]).sum()))"
WRITTEN = "10\n"

PACKAGES = "numpy pandas ipython"
PRELOADED = "numpy pandas IPython"
"""What the environment holds that all of the bench can be measured in, and what its zygote has loaded."""


def numpy(stage: Stage) -> AbstractAsyncContextManager[tuple[Series, ...]]:
    """POST /v1/run of a program that imports numpy and sums five numbers."""
    return _importing(stage, "numpy", NUMPY)


def pandas(stage: Stage) -> AbstractAsyncContextManager[tuple[Series, ...]]:
    """POST /v1/run of a program that imports pandas and sums four numbers."""
    return _importing(stage, "pandas", PANDAS)


@asynccontextmanager
async def _importing(stage: Stage, name: str, code: str) -> AsyncIterator[tuple[Series, ...]]:
    calls, environment = Calls(stage.entrance), stage.extents.environment
    if stage.server is not None:
        prove_present(environment, name)
    request = calls.run(code, environment)
    with one_shot.line(stage.entrance) as connection:
        # What cannot work is told once, with what the server says to it, and not as samples that failed.
        accepted(connection.exchange(request))
        yield (repeated(name, one_shot.run(connection, request, WRITTEN), pause=one_shot.GAP),)


def prove_present(environment: str, module: str) -> None:
    """Raise Wrong with the command that makes it when the environment is not there, or lacks *module*."""
    made = (
        f"make it with `sandlot env create {environment} {PACKAGES} --preload {PRELOADED}`, or name "
        "another one with --data-environment"
    )
    try:
        found = registry.get(environment)
    except SandlotError as cause:
        raise Wrong(f"the environment {environment!r} cannot be used ({cause.message}): {made}") from cause
    if module not in found.preload:
        raise Wrong(f"the environment {environment!r} does not preload {module}: {made}")
