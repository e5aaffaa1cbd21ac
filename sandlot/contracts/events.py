"""What comes out of a running command: one union of six kinds."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, Optional, Union


class Reason(enum.Enum):
    """Why a command ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_LIMIT = "output_limit"
    KILLED = "killed"
    BOX_DIED = "box_died"


@dataclass(frozen=True)
class Started:
    """The program runs; *process* names it within its sandbox."""

    process: str


@dataclass(frozen=True)
class Stdout:
    """Bytes the program wrote to standard output (or its terminal)."""

    data: bytes


@dataclass(frozen=True)
class Stderr:
    """Bytes the program wrote to standard error."""

    data: bytes


@dataclass(frozen=True)
class Returned:
    """What the handler of the command returned: a JSON value, which the program chose. Once, before Exited.

    `size` is how many bytes of JSON told it, where that is known.
    """

    value: Any
    size: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Exited:
    """The program ended. Told by wait status and control group, never by the program.

    `exit_code` is what a shell would show (128 + signal when a signal ended it). `duration` and
    `cpu_seconds` are seconds, `memory_peak` bytes. `who` names the part that died for BOX_DIED.
    """

    reason: Reason
    exit_code: int
    signal: Optional[int] = None
    stdout_truncated: bool = False
    stderr_truncated: bool = False
    duration: float = 0.0
    cpu_seconds: float = 0.0
    memory_peak: int = 0
    who: Optional[str] = None


@dataclass(frozen=True)
class Failed:
    """The program never ran, and this is why: an error code of `errors` and its message."""

    code: str
    message: str


Event = Union[Started, Stdout, Stderr, Returned, Exited, Failed]

EXIT_TIMEOUT = 124
EXIT_OURS = 125
EXIT_KILLED = 137


def exit_code_of(reason: Reason, exit_code: Optional[int], signal: Optional[int]) -> int:
    """The code a shell would show: 124 for a timeout, 128 + N for signal N, 137 for a kill of ours."""
    if reason is Reason.TIMEOUT:
        return EXIT_TIMEOUT
    if reason is Reason.BOX_DIED:
        return EXIT_OURS
    if reason in (Reason.OUT_OF_MEMORY, Reason.OUTPUT_LIMIT, Reason.KILLED):
        return EXIT_KILLED
    if signal is not None:
        return 128 + signal
    return 0 if exit_code is None else exit_code
