"""Result: the fold of a command's events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, List, Optional, Tuple

from . import errors
from .events import Event, Exited, Failed, Reason, Returned, Started, Stderr, Stdout
from .spec import Isolation


@dataclass(frozen=True)
class Result:
    """How a command went, and behind which walls.

    `enforced` lists the walls and limits that held for this run, by the names of docs/engines.md.
    `failover` says which engines were tried before and why they did not serve. `result` is what a handler
    returned; `has_result` tells None from nothing.
    """

    exit_code: int
    reason: Reason
    stdout: bytes
    stderr: bytes
    engine: str
    isolation: Isolation
    enforced: Tuple[str, ...]
    signal: Optional[int] = None
    stdout_truncated: bool = False
    stderr_truncated: bool = False
    duration: float = 0.0
    cpu_seconds: float = 0.0
    memory_peak: int = 0
    who: Optional[str] = None
    failover: Tuple[str, ...] = ()
    result: Any = None
    has_result: bool = False

    @property
    def metrics(self) -> Dict[str, float]:
        """What the command used: duration_ms, cpu_time_ms, and memory_peak_mb in units of 2**20 bytes."""
        return {
            "duration_ms": round(self.duration * 1000, 3),
            "cpu_time_ms": round(self.cpu_seconds * 1000, 3),
            "memory_peak_mb": round(self.memory_peak / 2**20, 3),
        }

    @property
    def ok(self) -> bool:
        """Whether the program ended by itself with exit code 0."""
        return self.reason is Reason.EXITED and self.exit_code == 0

    @property
    def text(self) -> str:
        """Standard output as text; what is not UTF-8 is replaced."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def errors(self) -> str:
        """Standard error as text; what is not UTF-8 is replaced."""
        return self.stderr.decode("utf-8", "replace")

    def to_json(self) -> Dict[str, Any]:
        """The reply of `POST /v1/run`: camelCase, text, milliseconds. `result` is there when one came."""
        used = self.metrics
        return {
            "exitCode": self.exit_code,
            "signal": self.signal,
            "reason": self.reason.value,
            "stdout": self.text,
            "stderr": self.errors,
            "truncated": {"stdout": self.stdout_truncated, "stderr": self.stderr_truncated},
            "durationMs": used["duration_ms"],
            "cpuMs": used["cpu_time_ms"],
            "memoryPeakBytes": self.memory_peak,
            "metrics": {
                "durationMs": used["duration_ms"],
                "cpuTimeMs": used["cpu_time_ms"],
                "memoryPeakMb": used["memory_peak_mb"],
            },
            "engine": self.engine,
            "isolation": self.isolation.name.lower(),
            "enforced": list(self.enforced),
            "who": self.who,
            "failover": list(self.failover),
            **({"result": self.result} if self.has_result else {}),
        }


def fold(
    events: Iterable[Event],
    *,
    engine: str,
    isolation: Isolation,
    enforced: Tuple[str, ...],
    failover: Tuple[str, ...] = (),
) -> Result:
    """The Result that *events* amount to.

    Raises the error a Failed event names, and BoxDied when the events stop without an end.
    """
    out: List[bytes] = []
    err: List[bytes] = []
    returned: Optional[Returned] = None
    for event in events:
        if isinstance(event, Stdout):
            out.append(event.data)
        elif isinstance(event, Stderr):
            err.append(event.data)
        elif isinstance(event, Returned):
            returned = event
        elif isinstance(event, Failed):
            raise error_of(event)
        elif isinstance(event, Exited):
            found = _result(event, b"".join(out), b"".join(err), engine, isolation, enforced, failover)
            return found if returned is None else replace(found, result=returned.value, has_result=True)
        else:
            assert isinstance(event, Started)  # noqa: S101 - the union is closed; a seventh kind is a bug
    raise errors.BoxDied("the box ended without telling how the command went: run it again", who="agent")


def error_of(event: Failed) -> errors.SandlotError:
    """The exception a Failed event stands for; an unknown code becomes StartFailed."""
    return errors.kinds().get(event.code, errors.StartFailed)(event.message)


def _result(
    end: Exited,
    stdout: bytes,
    stderr: bytes,
    engine: str,
    isolation: Isolation,
    enforced: Tuple[str, ...],
    failover: Tuple[str, ...],
) -> Result:
    return Result(
        exit_code=end.exit_code,
        reason=end.reason,
        stdout=stdout,
        stderr=stderr,
        engine=engine,
        isolation=isolation,
        enforced=enforced,
        signal=end.signal,
        stdout_truncated=end.stdout_truncated,
        stderr_truncated=end.stderr_truncated,
        duration=end.duration,
        cpu_seconds=end.cpu_seconds,
        memory_peak=end.memory_peak,
        who=end.who,
        failover=failover,
    )
