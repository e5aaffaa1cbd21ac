"""Programs of a session: commands and scripts, run to their end or to the client's leaving."""

from __future__ import annotations

from dataclasses import replace
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
from .files import written
from .reading import Session, body_of, session_of
from .replies import superset


async def execute(request: Request) -> Response:
    """POST execute."""
    wanted = await body_of(request, asked.execution_from)
    session = await session_of(request)
    return superset(_told(await _run(request, session, programs.shell_command(wanted))))


async def execute_code(request: Request) -> Response:
    """POST execute_code; the script stays in the session."""
    wanted = await body_of(request, asked.script_from)
    path = programs.script_path(wanted, context_of(request).clock())
    session = await session_of(request)
    mode = 0o755 if wanted.is_shell else 0o644
    await written(session.files, path, once(wanted.code.encode("utf-8")), mode)
    result = await _run(request, session, programs.script_command(wanted, path))
    told = _told(result)
    if wanted.parameters and not wanted.is_shell:
        told["output_variables"] = result.result if isinstance(result.result, dict) else {}
    return superset(told)


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
