"""Exit codes of handlers, and the exceptions that stand for some of them."""

from __future__ import annotations

import enum
from typing import Optional

_DESCRIPTIONS = {
    0: "the handler returned",
    1: "the code could not be loaded: a syntax error, or no handler in it",
    2: "the handler, or the code around it, raised an exception",
    3: "no value that JSON has a form for came back",
    4: "no sandbox came free in time",
    5: "the time given ran out",
    6: "the sandbox could not be started, or the call could not be made",
    7: "there is no code",
}


class ExitCode(enum.IntEnum):
    """How a call ended. Besides these, 124 is a timeout and 128 + N an end by signal N (137: killed)."""

    SUCCESS = 0
    CODE_LOAD_ERROR = 1
    HANDLER_EXECUTION_ERROR = 2
    JSON_SERIALIZATION_ERROR = 3
    NO_AVAILABLE_SANDBOX = 4
    EXECUTION_TIMEOUT = 5
    SYSTEM_ERROR = 6
    EMPTY_CODE = 7

    @classmethod
    def get_description(cls, code: int) -> str:
        """*code* in words."""
        return _DESCRIPTIONS.get(code, "an unknown exit code")


class SandboxException(Exception):
    """A call that came to nothing; `exit_code` says how."""

    def __init__(self, message: str, exit_code: int = ExitCode.SYSTEM_ERROR) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


class CodeLoadError(SandboxException):
    """The code cannot be loaded."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.CODE_LOAD_ERROR)


class HandlerExecutionError(SandboxException):
    """The handler raised an exception."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.HANDLER_EXECUTION_ERROR)


class TimeoutError(SandboxException):  # noqa: A001 - the original's name for it
    """The time given ran out."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.EXECUTION_TIMEOUT)


class NoAvailableSandboxError(SandboxException):
    """Every sandbox of the pool is in use and none came free in time."""

    def __init__(self, message: Optional[str] = None) -> None:
        text = message or "every sandbox of the pool is in use: wait longer, or make the pool larger"
        super().__init__(text, ExitCode.NO_AVAILABLE_SANDBOX)
