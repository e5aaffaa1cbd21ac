"""The verb `run` as a value, and the pure decisions about it: limits of output, the outcome of a process."""

from __future__ import annotations

import os

from .handler import Call
from .refusal import Refusal, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from ..wire.order import Order

_LONGEST_TIMEOUT = 10**9


class RunRequest:
    """A command to start.

    argv: the command, or None for a program whose text follows; env: added to the box's own; workdir: an
    absolute path; timeout: seconds or None; stdin: whether input will come; tty: (rows, columns) or None;
    output_limit: bytes kept of each stream, or None; flood_limit: bytes dropped after which the command is
    killed, or None; background: the request ends at once, the process stays; last: no other command follows;
    call: what of the program is called and returns a value, or None; context: the program is an
    interpreter of ours that keeps its state, takes requests as input and tells events where a value would go;
    branch: the context it is to be a copy of, by the name of its process, or None; language: what a context
    speaks.
    """

    def __init__(self, request: Dict[str, Any], workspace: str) -> None:
        """Parse; raises Refusal (invalid) for anything that could not be run as asked."""
        self.argv = _argv(request)
        self.env = _env(field(request, "env", dict, {}))
        self.workdir: str = field(request, "workdir", str, workspace)
        self.timeout = _timeout(field(request, "timeout", float, None))
        self.stdin: bool = field(request, "stdin", bool, False)
        self.tty = _size(field(request, "tty", dict, None))
        self.output_limit = _count(request, "output_limit")
        self.flood_limit = _count(request, "flood_limit")
        self.background: bool = field(request, "background", bool, False)
        self.last: bool = field(request, "last", bool, False)
        self.call = _call(request, self.timeout)
        self.context: bool = _context(request)
        self.language: str = field(request, "language", str, "python")
        self.branch: Optional[str] = field(request, "branch", str, None)
        _check(self.branch is None or self.context, "branch", self.branch)
        _check(self.workdir.startswith("/") and "\0" not in self.workdir, "workdir", self.workdir)

    @property
    def shown(self) -> List[str]:
        """What a list of processes calls it."""
        if self.context:
            return ["<context>"]
        return ["<code>"] if self.argv is None else self.argv

    @property
    def tells(self) -> bool:
        """It has a third output."""
        return self.context or self.call is not None


def of_order(wanted: Order, fields: Dict[str, Any]) -> Dict[str, Any]:
    """The request `run` that an ORDER with these *fields* of its text stands for."""
    return {
        **({"code": True} if fields["argv"] is None else {"argv": fields["argv"]}),
        "env": fields["env"],
        "workdir": fields["workdir"],
        "handler": fields["call"],
        "timeout": wanted.timeout,
        "output_limit": wanted.keep,
        "flood_limit": wanted.drop,
        "last": wanted.is_last,
    }


class Meter:
    """Counts one output stream against its limits; a limit of None is no limit."""

    def __init__(self, keep: Optional[int], drop: Optional[int]) -> None:
        """keep: bytes passed on; drop: bytes discarded after them before it counts as a flood."""
        self._keep = keep
        self._drop = drop
        self._kept = 0
        self._dropped = 0

    def resume(self, kept: int, dropped: int) -> None:
        """Count on from so many bytes."""
        self._kept, self._dropped = kept, dropped

    def take(self, data: bytes) -> bytes:
        """The part of *data* that is within the limit; the rest is counted as dropped."""
        room = len(data) if self._keep is None else self._keep - self._kept
        passed = data[:room]
        self._kept += len(passed)
        self._dropped += len(data) - len(passed)
        return passed

    def cut(self) -> None:
        """Something was dropped before it could be counted."""
        self._dropped += 1

    @property
    def is_spent(self) -> bool:
        """Everything from now on will be dropped."""
        return self._keep is not None and self._kept >= self._keep

    @property
    def truncated(self) -> bool:
        """Something has been dropped."""
        return self._dropped > 0

    @property
    def flooded(self) -> bool:
        """More has been dropped than may be."""
        return self._drop is not None and self._dropped > self._drop


def outcome(ended: Dict[str, Any], verdict: Optional[str], truncated: Tuple[bool, bool]) -> Dict[str, Any]:
    """The result of a run.

    ended: a supervisor's last report; verdict: why the agent ordered a kill, if it did; truncated: whether
    standard output and standard error were cut.
    """
    status = ended["status"]
    signalled = status is None or os.WIFSIGNALED(status)
    reason = {"timeout": "timeout", "order": verdict or "killed"}.get(ended["by"])
    return {
        "reason": reason or ("signalled" if signalled else "exited"),
        "exit_code": None if signalled else os.WEXITSTATUS(status),
        "signal": None if not signalled else 9 if status is None else os.WTERMSIG(status),
        "truncated": {"stdout": truncated[0], "stderr": truncated[1]},
        "cpu_seconds": ended["cpu"],
        "memory_peak": ended["peak"],
        "duration": ended["seconds"],
    }


def _argv(request: Dict[str, Any]) -> Optional[List[str]]:
    code = field(request, "code", bool, False)
    argv = field(request, "argv", list, None)
    if code == (argv is not None):
        raise Refusal("invalid", "a run needs either 'argv' or 'code': true")
    if argv is not None:
        sound = all(isinstance(word, str) and "\0" not in word for word in argv)
        _check(bool(argv) and sound, "argv", argv)
    return argv  # type: ignore[no-any-return]


def _call(request: Dict[str, Any], timeout: Optional[float]) -> Optional[Call]:
    told = field(request, "handler", dict, None)
    if told is None:
        return None
    if request.get("argv") is not None or request.get("tty") is not None or request.get("background"):
        raise Refusal("invalid", "a handler is for code, without a terminal and not in the background")
    return Call({**told, "timeout": timeout})


def _context(request: Dict[str, Any]) -> bool:
    wanted: bool = field(request, "context", bool, False)
    others = ("argv", "tty", "background", "handler")
    if wanted and any(request.get(name) for name in others):
        raise Refusal("invalid", "a context is code alone, without a terminal and not in the background")
    return wanted


def _env(env: Dict[str, Any]) -> Dict[str, str]:
    for name, value in env.items():
        sound = name and "=" not in name and isinstance(value, str) and "\0" not in name + value
        _check(bool(sound), "env", name)
    return env


def _timeout(seconds: Optional[float]) -> Optional[float]:
    _check(seconds is None or 0 <= seconds <= _LONGEST_TIMEOUT, "timeout", seconds)
    return seconds


def _size(tty: Optional[Dict[str, Any]]) -> Optional[Tuple[int, int]]:
    if tty is None:
        return None
    rows, columns = field(tty, "rows", int, 24), field(tty, "columns", int, 80)
    _check(0 < rows < 65536 and 0 < columns < 65536, "tty", tty)
    return rows, columns


def _count(request: Dict[str, Any], name: str) -> Optional[int]:
    value = field(request, name, int, None)
    _check(value is None or value >= 0, name, value)
    return value  # type: ignore[no-any-return]


def _check(holds: bool, name: str, value: object) -> None:
    if not holds:
        raise Refusal("invalid", f"field {name!r} cannot be {value!r}"[:400])
