"""From a Result to what the original's callers read (pure)."""

from __future__ import annotations

from typing import Any, Optional

from sandlot.contracts.errors import InvalidSpec, PoolExhausted, SandlotError
from sandlot.contracts.events import Reason
from sandlot.contracts.result import Result

from .sandbox.core.errors import ExitCode
from .sandbox.core.result import ExecutionMetrics, StandardExecutionResult

LONGEST_TIMEOUT = 3600
_BY_HANDLER = (
    ExitCode.CODE_LOAD_ERROR,
    ExitCode.HANDLER_EXECUTION_ERROR,
    ExitCode.JSON_SERIALIZATION_ERROR,
)  # a traceback tells what happened


def told(result: Result, timeout: float) -> StandardExecutionResult:
    """How the call went that ended with *result*; *timeout* is how long it had, in seconds."""
    note = _note(result, timeout)
    stderr = result.errors
    if note and stderr and not stderr.endswith("\n"):
        stderr += "\n"
    return StandardExecutionResult(
        exit_code=_exit_code(result),
        stdout=result.text,
        stderr=stderr + (f"sandbox: {note}\n" if note else ""),
        result=result.result if _has_returned(result) else None,
        metrics=ExecutionMetrics(**result.metrics),
        reason=result.reason.value,
    )


def failed(error: Exception) -> StandardExecutionResult:
    """A call that came to nothing because of *error*, before or beside the program."""
    code = ExitCode.NO_AVAILABLE_SANDBOX if isinstance(error, PoolExhausted) else ExitCode.SYSTEM_ERROR
    message = error.message if isinstance(error, SandlotError) else str(error)
    return refused(code, f"System error: {message}")


def refused(code: ExitCode, why: str) -> StandardExecutionResult:
    """A call that was not made."""
    return StandardExecutionResult(code, "", why, None, ExecutionMetrics())


def flaw(code: Any) -> Optional[StandardExecutionResult]:
    """Why a handler's *code* cannot be called at all; None when it may be tried.

    It is not compiled here: the text is a stranger's, and a compiler can be brought down.
    """
    if not isinstance(code, str):
        return refused(ExitCode.CODE_LOAD_ERROR, f"System error: the code is {type(code).__name__}, not text")
    if not code.strip():
        return refused(ExitCode.EMPTY_CODE, "System error: there is no code")
    if "def handler" not in code:
        return refused(
            ExitCode.CODE_LOAD_ERROR, "System error: the code defines no handler: def handler(event)"
        )
    return None


def timeout_of(event: Any, usual: float, longest: float = LONGEST_TIMEOUT) -> float:
    """The seconds that *event* allows in `__timeout`, at most *longest*; *usual* where it says none.

    Raises InvalidSpec for what is no number.
    """
    said = event.get("__timeout") if isinstance(event, dict) else None
    if said is None:
        return usual
    if isinstance(said, bool) or not isinstance(said, (int, float)):
        raise InvalidSpec(f"__timeout {said!r:.60} is not a number of seconds")
    return float(min(said, longest)) if said > 0 else usual


def _has_returned(result: Result) -> bool:
    """Whether the value counts: that of a program which failed afterwards does not."""
    return result.ok and result.has_result


def _exit_code(result: Result) -> int:
    if result.reason is Reason.BOX_DIED:
        return ExitCode.SYSTEM_ERROR
    if result.reason is not Reason.EXITED:
        return result.exit_code
    if _has_returned(result):
        return ExitCode.SUCCESS
    return result.exit_code or ExitCode.JSON_SERIALIZATION_ERROR


def _note(result: Result, timeout: float) -> str:
    """What a reader of standard error has to know besides what the program wrote there."""
    notes = {
        Reason.TIMEOUT: f"execution timed out after {timeout:g} seconds",
        Reason.OUT_OF_MEMORY: "the program ran out of memory and was killed",
        Reason.OUTPUT_LIMIT: "the program was killed: it wrote far more than is kept",
        Reason.SIGNALLED: f"the program was ended by signal {result.signal}",
        Reason.KILLED: "the program was killed",
        Reason.BOX_DIED: f"the sandbox died ({result.who} first)",
    }
    if result.reason is not Reason.EXITED:
        return notes[result.reason]
    if _has_returned(result) or result.exit_code in _BY_HANDLER:
        return ""
    return f"the program ended with exit code {result.exit_code} before its handler returned"
