"""One-shot handlers: each call has a sandbox of its own, taken from the warm pool and used once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.command import Command
from sandlot.contracts.events import Reason
from sandlot.contracts.result import Result
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import DEFAULT_LIMITS
from sandlot.server import answers
from sandlot.server.access import context_of, service_of
from sandlot.server.reading import traced
from sandlot.settings import Settings

from . import asked, errors, programs
from .asked import HandlerCall
from .reading import body_of, new_sandbox
from .replies import flat


async def execute(request: Request) -> Response:
    """POST v2/execute_code. A handler that fails is an answer; one that takes too long an error (500)."""
    wanted, command = await body_of(request, partial(_read, context_of(request).settings))
    run = RunRequest(traced(request, command), new_sandbox(request))
    result = await answers.unless_gone(request, service_of(request).run(run))
    told = _told(result, wanted.timeout)
    if result.reason is Reason.TIMEOUT:
        why = f"Execution timed out after {wanted.timeout:g} seconds"
        return errors.told(500, errors.error_object(errors.TIMEOUT, "Handler execution timeout", why), told)
    if told["exit_code"]:
        return flat({**told, **errors.error_object(errors.EXCEPTION, *_failure(result, told["exit_code"]))})
    return flat(told)


def _read(settings: Settings, body: Mapping[str, Any]) -> tuple[HandlerCall, Command]:
    """What *body* asks, and the command for it. Raises InvalidSpec."""
    wanted = asked.handler_from(body)
    return wanted, programs.handler_command(wanted, _about(wanted, settings))


def _about(wanted: HandlerCall, settings: Settings) -> dict[str, Any]:
    """What the handler's context tells, but for the request id and the time left, which the box knows."""
    memory = settings.memory or DEFAULT_LIMITS.memory or 0
    return {
        "function_name": "unknown-function",
        "function_version": "$LATEST",
        "log_group_name": "/lambda-sandbox/logs",
        "log_stream_name": str(uuid.uuid4()),
        "memory_limit_in_mb": int(memory) // 2**20,
        "invoked_function_arn": None,
        **wanted.context,
    }


def _told(result: Result, timeout: float) -> dict[str, Any]:
    is_silent = not result.has_result and result.exit_code == 0
    return {
        "stdout": result.text,
        "stderr": result.errors,
        "result": result.result,
        "exit_code": programs.NO_VALUE if is_silent else result.exit_code,
        "reason": result.reason.value,
        "truncated": {"stdout": result.stdout_truncated, "stderr": result.stderr_truncated},
        "metrics": {**result.metrics, "timeout_seconds": timeout},
    }


def _failure(result: Result, exit_code: int) -> tuple[str, str]:
    """What went wrong, as a description and in detail."""
    said = result.errors.strip().rpartition("\n")[2][:500]
    if result.reason is not Reason.EXITED:
        return "Handler ended by force", f"The program was ended: {result.reason.value}. {said}".strip()
    if exit_code == programs.NO_VALUE:
        return "Handler returned nothing", said or "The program ended before the handler returned a value"
    if exit_code == 1:
        return "Handler code cannot be loaded", said or "The program ended with exit code 1"
    return "Handler execution exception", said or f"The program ended with exit code {exit_code}"
