"""The short way in, without async: `run(...)` for one program in a sandbox of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandlot.contracts.command import Command
from sandlot.contracts.result import Result
from sandlot.contracts.service import RunRequest

from .asked import settings_for, spec_of
from .iteration import Background
from .start import start


def run(
    code: str | None = None,
    *,
    argv: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
    stdin: bytes | str | None = None,
    **asked: Any,
) -> Result:
    """Run Python *code*, or the program *argv*, in a sandbox of its own and give its Result.

    *files* are written into the workspace first (name -> content). *asked* are settings by name: engine,
    isolation, environment, network, timeout, memory, cpu, pids, disk, inodes, output, open_files, as text
    ("512Mi", "30s") or numbers. What is not said comes from SANDLOT_ variables, configuration files and
    defaults. A program that fails is a Result; SandlotError is raised when it could not be run as asked.
    """
    chosen = settings_for(**asked)
    command = Command(
        argv=tuple(argv or ()),
        code=code,
        stdin=stdin.encode() if isinstance(stdin, str) else stdin,
        timeout=chosen.timeout,
    )
    request = RunRequest(command, spec_of(chosen, env), files or {})
    background = Background()
    try:
        return background.wait(_once(request))
    finally:
        background.close()


async def _once(request: RunRequest) -> Result:
    service = start()
    try:
        return await service.run(request)
    finally:
        await service.close()
