"""`sandbox-run SCRIPT`: one handler of a file, called once in a sandbox of its own."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import traceback
from datetime import datetime, timezone
from pathlib import Path
from typing import List, Optional

from sandlot.contracts.errors import SandlotError
from sandlot.contracts.events import Reason

from ..boxes import Boxes, require_python, usual_spec
from ..calling import call
from ..outcome import timeout_of
from ..sandbox.core.context import create_context
from ..sandbox.core.errors import ExitCode
from ..sandbox.core.result import StandardExecutionResult
from . import render
from .arguments import MISSING, Mistake, Task, parser, task_of
from .progress import Progress

_TIMED_OUT, _NOT_STARTED, _NO_MEMORY, _INTERRUPTED = 4, 4, 137, 130
_RULE = "-" * 50


def main(words: Optional[List[str]] = None) -> int:
    """Run what *words* (the process's own by default) ask for; the exit code.

    The handler's exit code; 2 for a script or JSON that is not there or cannot be read, 4 when `--timeout`
    was over or no sandbox could be started, 137 when that was for want of memory, 130 after Ctrl-C, 1 for
    anything else. Raises SystemExit (2) for options that make no sense.
    """
    options = parser().parse_args(words)
    # What a handler prints may hold what this terminal's encoding has no letter for.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=options.log_level, stream=sys.stderr)
    try:
        return _run(options, task_of(options))
    except Mistake as error:
        return _failed(str(error), error.code)
    except SandlotError as error:
        if options.verbose:
            traceback.print_exc()
        return _failed(error.message, _NO_MEMORY if "memory" in error.message else _NOT_STARTED)
    except KeyboardInterrupt:
        print("\nInterrupted", file=sys.stderr)
        return _INTERRUPTED


def _run(options: argparse.Namespace, task: Task) -> int:
    require_python()
    # Programs read standard output: there is nothing on it but the document.
    talk = sys.stdout if options.format == "pretty" else sys.stderr
    if not options.quiet:
        print(f"Executing: {options.script_path}\n{_RULE}", file=talk, flush=True)
    result = asyncio.run(_called(task))
    told = _told(result, options)
    print(told)
    if options.output:
        _keep(told, options.output)
        if not options.quiet:
            print(f"\nResult saved to: {options.output}", file=talk)
    if _is_out_of_time(result, task):
        return _failed(f"Execution timed out after {task.timeout} seconds", _TIMED_OUT)
    if result.exit_code in (ExitCode.NO_AVAILABLE_SANDBOX, ExitCode.SYSTEM_ERROR) and not result.reason:
        return _NO_MEMORY if "memory" in result.stderr else _NOT_STARTED
    return int(result.exit_code)


async def _called(task: Task) -> StandardExecutionResult:
    try:
        context = create_context(**task.context).to_dict()
    except TypeError as error:
        raise Mistake(f"Invalid context JSON: {error}", MISSING) from error
    with Progress("the handler is running"):
        boxes = Boxes(usual_spec())
        try:
            await boxes.opened()
            asked = {"handler_code": task.code, "event": task.event, "context": context}
            return await call(boxes, asked, task.timeout, longest=task.timeout)
        finally:
            await boxes.close()


def _told(result: StandardExecutionResult, options: argparse.Namespace) -> str:
    now = datetime.now(timezone.utc).isoformat() if options.verbose else None
    if options.format == "json":
        return render.as_json(result, now)
    if options.format == "yaml":
        return render.as_yaml(result, now)
    return render.as_text(result, shows_metrics=options.profile or options.verbose, timestamp=now)


def _keep(told: str, path: str) -> None:
    try:
        Path(path).write_text(told + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise Mistake(f"the result cannot be written to {path}: {error.strerror}", 1) from error


def _is_out_of_time(result: StandardExecutionResult, task: Task) -> bool:
    """Whether our own time was over; an event's shorter one is told by the handler's exit code."""
    is_ours = timeout_of(task.event, task.timeout, task.timeout) >= task.timeout
    return result.reason == Reason.TIMEOUT.value and is_ours


def _failed(message: str, code: int) -> int:
    print(f"Error: {message}", file=sys.stderr)
    return code
