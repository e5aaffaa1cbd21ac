"""The short way in, without async: `run` and `call` for one program in a sandbox of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sandlot.contracts.command import Command
from sandlot.contracts.handler import Handler
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
    command = Command(argv=tuple(argv or ()), code=code, stdin=_encoded(stdin))
    return _result(command, env, files, asked)


def call(
    code: str,
    event: Any = None,
    *,
    handler: str = "handler",
    env: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
    stdin: bytes | str | None = None,
    **asked: Any,
) -> Result:
    """Run *code* in a sandbox of its own, then its function *handler* with *event*; otherwise as `run`.

    `def handler(event)` or `def handler(event, context)`, asynchronous or not, takes what JSON can say and
    returns such a value: the Result's `result`. Nothing came back when `has_result` is false; then exit code
    and standard error say why.
    """
    command = Command(code=code, stdin=_encoded(stdin), handler=Handler(handler, event))
    return _result(command, env, files, asked)


def _encoded(stdin: bytes | str | None) -> bytes | None:
    return stdin.encode() if isinstance(stdin, str) else stdin


def _result(
    command: Command,
    env: Mapping[str, str] | None,
    files: Mapping[str, bytes] | None,
    asked: Mapping[str, Any],
) -> Result:
    chosen = settings_for(**asked)
    command = replace(command, timeout=chosen.timeout)
    request = RunRequest(command, spec_of(chosen, env), files or {})
    background = Background()
    try:
        return background.wait(_once(request))
    finally:
        background.close()


async def _once(request: RunRequest) -> Result:
    service = start(is_brief=True)
    try:
        return await service.run(request)
    finally:
        await service.close()
