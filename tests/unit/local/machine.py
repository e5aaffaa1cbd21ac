"""What tests that start real boxes need to know of this machine."""

from __future__ import annotations

import asyncio
import functools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandlot.contracts.errors import SandlotError
from sandlot.testing.engines import make_engine


@functools.cache
def obstacle(name: str = "bubblewrap") -> str | None:
    """Why the engine *name* does not work here; None when it does."""

    async def probe() -> str | None:
        engine = make_engine(name)
        try:
            return (await engine.probe()).cause
        finally:
            await engine.close()

    try:
        return asyncio.run(probe())
    except SandlotError as error:
        return error.message


@contextmanager
def data_directory() -> Iterator[Path]:
    """A data directory that boxes can read: pytest's own are closed to other users."""
    place = Path(tempfile.mkdtemp(prefix="sandlot-test-"))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place)
