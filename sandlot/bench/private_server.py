"""A server of the bench's own: a process with directories of its own, on a free port of loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandlot import settings
from sandlot.contracts.errors import StartFailed

from . import spawn
from .benchmark import Wrong


class Refused(Wrong):
    """The server does not know a word it was started with."""


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WORDS = ("serve", "--host", "127.0.0.1", "--port", "0", "--auth", "local", "--grace", "5s")
_START_TIMEOUT = 60.0
_END_TIMEOUT = 30.0
_KEPT_LINES = 5
_UNKNOWN = "unrecognized arguments"  # argparse
_ROOMY = "20000"
"""Sandboxes at once: the quotas that ship would end what is measured with many. A quota is no wall."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers at `url`; `process` is its pid, `place` where its files are."""

    url: str
    process: int
    place: Path


@asynccontextmanager
async def running(words: Sequence[str] = (), *, environment: str | None = None) -> AsyncIterator[Running]:
    """A server for the length of a block, with the settings it has where nobody chose any.

    Only its quotas are raised. *words* are more arguments of `sandlot serve`; *environment* is one of the
    caller's that it may use too, if there is one of that name. Raises StartFailed with the end of its log
    when it does not come up, Refused when it does not know one of *words*.
    """
    with _directory() as place:
        if environment is not None:
            _lend(environment, place / "data")
        server = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "sandlot.cli.main", *_WORDS, *words),
            cwd=place,
            env=_environment(place),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert server.stderr is not None  # noqa: S101 - it was asked for
        try:
            yield Running(await _address(server.stderr), server.pid, place)
        finally:
            await _end(server, server.stderr)


def _environment(place: Path) -> dict[str, str]:
    """Nothing of the caller's: neither their settings nor their configuration decide what is measured."""
    return {
        **spawn.OURS,
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "HOME": str(place),
        "SANDLOT_DATA_DIRECTORY": str(place / "data"),
        "SANDLOT_RUNTIME_DIRECTORY": str(place / "run"),
        "SANDLOT_MOST_SANDBOXES": _ROOMY,
        "SANDLOT_MOST_SANDBOXES_PER_OWNER": _ROOMY,
    }


def _lend(environment: str, data: Path) -> None:
    """Let the data directory *data* have the caller's environment of that name."""
    source = settings.load().data_directory / "environments" / environment
    if source.is_dir():
        target = data / "environments"
        target.mkdir(parents=True)
        (target / environment).symlink_to(source)


@contextmanager
def _directory() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="sandlot-bench-"))
    # Boxes run under other uids and read their agent from below here.
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


async def _address(log: asyncio.StreamReader) -> str:
    """Where the server says that it listens."""
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_START_TIMEOUT):
            async for line in log:
                if url := _url_in(line):
                    return url
                last.append(line.decode("utf-8", "replace").strip())
    said = " | ".join(last) or "nothing"
    if _UNKNOWN in said:
        raise Refused(last[-1])
    raise StartFailed(f"the server under test did not come up; it said: {said}")


def _url_in(line: bytes) -> str | None:
    """The address that a line of the server's log tells."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    url = told.get("url") if isinstance(told, dict) else None
    return url if isinstance(url, str) else None


async def _end(server: asyncio.subprocess.Process, log: asyncio.StreamReader) -> None:
    with contextlib.suppress(ProcessLookupError):
        server.terminate()
    try:
        async with asyncio.timeout(_END_TIMEOUT):
            # What it says at its end is read, so that it does not wait for a reader.
            await log.read()
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()
