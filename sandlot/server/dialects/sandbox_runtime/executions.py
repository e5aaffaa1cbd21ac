"""Programs of a session: commands and scripts, run to their end or to the client's leaving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.command import Command
from sandlot.contracts.events import Reason
from sandlot.contracts.result import Result
from sandlot.server import answers
from sandlot.server.access import context_of
from sandlot.server.collected import collected
from sandlot.server.reading import traced
from sandlot.trees.pack import once

from . import asked, programs
from .asked import Script
from .files import written
from .reading import Session, body_of, session_of
from .replies import superset


async def execute(request: Request) -> Response:
    """POST execute."""
    command = await body_of(request, lambda body: programs.shell_command(asked.execution_from(body)))
    return superset(_told(await _run(request, await session_of(request), command)))


async def execute_code(request: Request) -> Response:
    """POST execute_code; the script stays in the session."""
    wanted, path, command = await body_of(request, partial(_read, context_of(request).clock()))
    session = await session_of(request)
    mode = 0o755 if wanted.is_shell else 0o644
    await written(session.files, path, once(wanted.code.encode("utf-8")), mode)
    result = await _run(request, session, command)
    told = _told(result)
    if wanted.parameters and not wanted.is_shell:
        told["output_variables"] = result.result if isinstance(result.result, dict) else {}
    return superset(told)


def _read(now: float, body: Mapping[str, Any]) -> tuple[Script, PurePosixPath, Command]:
    """What *body* asks, where its text is put, and the command for it. Raises InvalidSpec."""
    wanted = asked.script_from(body)
    path = programs.script_path(wanted, now)
    return wanted, path, programs.script_command(wanted, path)


async def _run(request: Request, session: Session, command: Command) -> Result:
    command = replace(command, env={**command.env, **traced(request, command).env})
    return await answers.unless_gone(request, collected(session.box, command))


def _told(result: Result) -> dict[str, Any]:
    """How a program went. One that failed, or took too long, is an answer and no error."""
    return {
        "stdout": result.text,
        "stderr": result.errors,
        "returncode": result.exit_code,
        "exit_code": result.exit_code,
        "reason": result.reason.value,
        "timed_out": result.reason is Reason.TIMEOUT,
        "truncated": {"stdout": result.stdout_truncated, "stderr": result.stderr_truncated},
        "metrics": result.metrics,
    }
