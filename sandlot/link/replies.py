"""What an agent answers, checked: only the documented fields, only in their types and ranges.

The agent is taken for hostile. A field that is missing or odd raises FrameError, which ends the box.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandlot.contracts import errors
from sandlot.contracts.events import Exited, Reason, exit_code_of
from sandlot.wire.frames import FrameError

PROTOCOL = 1
_LONGEST_TEXT = 4096
_LARGEST_AMOUNT = 2.0**63  # inclusive: what the latest time a file can have is as a float
_SIGNALS = range(1, 65)
_KINDS = ("file", "directory", "symlink", "fifo", "socket", "device", "other")
_CHANGES = ("created", "modified", "deleted", "moved")
_REASONS = (Reason.EXITED, Reason.SIGNALLED, Reason.TIMEOUT, Reason.OUTPUT_LIMIT, Reason.KILLED)
_ERRORS: Mapping[str, Callable[[str], errors.SandlotError]] = {
    "not_found": errors.NotFound,
    "already_exists": errors.Conflict,
    "is_directory": errors.Conflict,
    "not_directory": errors.Conflict,
    "not_empty": errors.Conflict,
    # The box's own file modes say no, not a policy of ours: that is a state of the thing named.
    "permission_denied": errors.Conflict,
    "path_escape": errors.PathEscape,
    "no_space": errors.DiskFull,
    "too_large": errors.OutputTooLarge,
    "invalid": errors.InvalidSpec,
    "archive": errors.InvalidSpec,
    "unsupported": errors.Unsupported,
    "timeout": errors.TimedOut,
    "failed": errors.StartFailed,
}


@dataclass(frozen=True, slots=True)
class Greeting:
    """An agent's HELLO: its Python, and the walls it put up or proved it can put around a payload.

    takes_orders: a command that takes no input may be ordered by one frame.
    """

    python: str
    walls: frozenset[str]
    takes_orders: bool


def greeting(value: Mapping[str, Any]) -> Greeting:
    """The agent's HELLO."""
    if value.get("protocol") != PROTOCOL:
        raise FrameError(f"the agent speaks protocol {value.get('protocol')!r:.40}, not {PROTOCOL}")
    walls = _object(value, "walls")
    return Greeting(
        python=_text(value, "python"),
        walls=frozenset(_texts(walls, "agent")) | frozenset(_texts(walls, "payload")),
        takes_orders="orders" in value and _flag(value, "orders"),
    )


def conclusion(value: Mapping[str, Any], told: Callable[[str], str] = str) -> Mapping[str, Any]:
    """What a DONE holds when all went well; raises the SandlotError it tells otherwise.

    *told* translates the message of an error.
    """
    if "ok" in value:
        return _object(value, "ok")
    refused = _object(value, "error")
    kind = _ERRORS.get(_text(refused, "code"))
    if kind is None:
        raise FrameError(f"the agent told an unknown error {refused.get('code')!r:.40}")
    raise kind(told(_text(refused, "message")))


def exited(value: Mapping[str, Any]) -> Exited:
    """How a command ended."""
    try:
        reason = Reason(value.get("reason"))
    except ValueError:
        raise FrameError(f"the agent told an unknown reason {value.get('reason')!r:.40}") from None
    code, signal = _optional(value, "exit_code", range(256)), _optional(value, "signal", _SIGNALS)
    if reason not in _REASONS or (reason is Reason.EXITED) > (code is not None):
        raise FrameError(
            f"the agent told {reason.value} without its exit code, or what only the host can know"
        )
    if reason is Reason.SIGNALLED and signal is None:
        raise FrameError("the agent told signalled without a signal")
    truncated = _object(value, "truncated")
    return Exited(
        reason=reason,
        exit_code=exit_code_of(reason, code, signal),
        signal=signal,
        stdout_truncated=_flag(truncated, "stdout"),
        stderr_truncated=_flag(truncated, "stderr"),
        duration=_amount(value, "duration"),
        cpu_seconds=_amount(value, "cpu_seconds"),
        memory_peak=_count(value, "memory_peak"),
    )


def process_name(value: Mapping[str, Any]) -> str:
    """The name of the process a run began: of `started` and of a background DONE."""
    name = _text(value, "process")
    if not name or len(name) > 64:
        raise FrameError("the agent named a process by nothing, or by too much")
    return name


def process_row(value: object) -> dict[str, Any]:
    """One row of `processes`."""
    row = value if isinstance(value, Mapping) else {}
    return {
        "id": _text(row, "id"),
        "argv": list(_texts(row, "argv")),
        "background": _flag(row, "background"),
        "running": _flag(row, "running"),
        "exit_code": _optional(row, "exit_code", range(256)),
        "signal": _optional(row, "signal", _SIGNALS),
        "started": _amount(row, "started"),
    }


def process_rows(value: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The rows of `processes`."""
    rows = value.get("processes")
    if not isinstance(rows, list):
        raise FrameError("the agent's processes are no list")
    return tuple(process_row(row) for row in rows)


def listed(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an event of `list` holds for `entry`."""
    return _object(value, "entry")


def entry(value: Mapping[str, Any], shown: Callable[[str], str]) -> dict[str, Any]:
    """One file as `stat` and `list` tell it; *shown* translates its path."""
    if value.get("kind") not in _KINDS:
        raise FrameError(f"the agent told an unknown kind of file {value.get('kind')!r:.40}")
    found = {
        "name": _text(value, "name"),
        "path": shown(_text(value, "path")),
        "kind": value["kind"],
        "size": _count(value, "size"),
        "mode": _count(value, "mode") & 0o7777,
        "mtime": _amount(value, "mtime"),
    }
    if value.get("target") is not None:
        found["target"] = _text(value, "target")
    return found


def change(value: Mapping[str, Any], shown: Callable[[str], str]) -> dict[str, Any]:
    """One change of a watched directory."""
    told = _object(value, "change")
    if told.get("kind") not in _CHANGES:
        raise FrameError(f"the agent told an unknown change {told.get('kind')!r:.40}")
    return {"path": shown(_text(told, "path")), "kind": told["kind"]}


def count(value: Mapping[str, Any], name: str) -> int:
    """A field that is a count."""
    return _count(value, name)


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    if not isinstance(found, Mapping):
        raise FrameError(f"the agent's {name} is no object")
    return found


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or len(found) > _LONGEST_TEXT:
        raise FrameError(f"the agent's {name} is no text of at most {_LONGEST_TEXT} characters")
    return found


def _texts(value: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = value.get(name)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise FrameError(f"the agent's {name} is no list of texts")
    return tuple(found)


def _flag(value: Mapping[str, Any], name: str) -> bool:
    found = value.get(name)
    if not isinstance(found, bool):
        raise FrameError(f"the agent's {name} is neither true nor false")
    return found


def _count(value: Mapping[str, Any], name: str) -> int:
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 2**63:
        raise FrameError(f"the agent's {name} is no count")
    return found


def _amount(value: Mapping[str, Any], name: str) -> float:
    found = value.get(name)
    # The comparison is false for NaN, and for an int too large for a float.
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not abs(found) <= _LARGEST_AMOUNT:
        raise FrameError(f"the agent's {name} is no number in range")
    return float(found)


def _optional(value: Mapping[str, Any], name: str, within: range) -> int | None:
    found = value.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or found not in within:
        raise FrameError(f"the agent's {name} is out of range")
    return found
