"""What goes wrong with kernels, in the original's classes."""

from __future__ import annotations


class ConnectionError(Exception):  # noqa: A001 - the name that the original's programs catch
    """There is no connection to a kernel, or it was lost."""


class ExecutionError(Exception):
    """Code raised an exception, or its kernel died of it. The message is `NAME: VALUE`."""

    def __init__(self, message: str, trace: str | None = None) -> None:
        """*trace* is the traceback as text."""
        super().__init__(message)
        self.trace = trace
