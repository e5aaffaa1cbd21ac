"""StandardExecutionResult: how a handler's call went."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Dict


@dataclass
class ExecutionMetrics:
    """What a run used, measured from outside the program: milliseconds, and units of 2**20 bytes."""

    duration_ms: float = 0.0
    memory_peak_mb: float = 0.0
    cpu_time_ms: float = 0.0

    def to_dict(self) -> Dict[str, float]:
        """The fields by name."""
        return asdict(self)


@dataclass
class StandardExecutionResult:
    """How a call went. `exit_code` is one of ExitCode, 124 for a timeout, 128 + N for an end by signal N.

    `reason` says why the program ended, by the names of `sandlot.contracts.events.Reason`; it is empty when
    the program never ran. The original has no such field, so `to_dict` leaves it out.
    """

    exit_code: int
    stdout: str
    stderr: str
    result: Any
    metrics: ExecutionMetrics
    reason: str = field(default="", compare=False)

    def to_dict(self) -> Dict[str, Any]:
        """The fields that the original has, by name."""
        return {
            "exit_code": int(self.exit_code),
            "stdout": self.stdout,
            "stderr": self.stderr,
            "result": self.result,
            "metrics": self.metrics.to_dict(),
        }

    def is_success(self) -> bool:
        """Whether the handler returned a value."""
        return self.exit_code == 0
