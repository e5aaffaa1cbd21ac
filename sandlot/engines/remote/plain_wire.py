"""The operations of NoxRunner v1 as flows, for backends that speak nothing else (pure).

Archives travel as on a sandlot server, so `wire.flows.files` serves for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sandlot.contracts.command import Command
from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.events import Event, Exited, Reason, Started, Stderr, Stdout, exit_code_of
from sandlot.contracts.lease import Ending
from sandlot.wire.fields import Fields, object_from
from sandlot.wire.flows.exchange import (
    QUIET,
    WORKING,
    Answer,
    Ask,
    Flow,
    accepted,
    asking,
    refusal,
    sandbox_target,
    value_of,
)
from sandlot.wire.http import Request

PYTHON = ("python3", "-c")
"""What `code` is given to: the backend knows no environments."""

_LONGEST_CODE = 131_072  # MAX_ARG_STRLEN, execve(2)
_TIMED_OUT = 124  # by NoxRunner's convention
_SIGNALS = range(-64, 0)  # backends in Python tell of a signal as subprocess.Popen does


@dataclass(frozen=True, slots=True)
class Told:
    """What a backend tells of a command that has ended; `duration` in seconds."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    duration: float


def is_plain(sandbox: str) -> Flow[bool]:
    """Whether the backend speaks NoxRunner v1 and nothing else; *sandbox* is a name that nobody has.

    A sandlot server says so of it, with the code of its errors. Raises what refuses or breaks instead.
    """
    answer = yield Ask(asking("GET", sandbox_target(sandbox)))
    return _is_plain(answer)


def ensure(sandbox: str, lease: float, image: str | None) -> Flow[None]:
    """Make *sandbox* for *lease* seconds, rounded up, of a container image or the backend's choice."""
    told: dict[str, Any] = {"ttlSeconds": math.ceil(lease), **({"image": image} if image else {})}
    answer = yield Ask(asking("PUT", sandbox_target(sandbox), told), patience=WORKING)
    value_of(accepted(answer, 200, 201), lambda value: Fields(value).text("podName"))


def renew(sandbox: str) -> Flow[Ending | None]:
    """Renew its lease."""
    accepted((yield Ask(asking("POST", sandbox_target(sandbox, "touch")))), 200)
    return None


def delete(sandbox: str) -> Flow[None]:
    """End it."""
    accepted((yield Ask(asking("DELETE", sandbox_target(sandbox)), patience=WORKING)), 200, 204)


def execute(sandbox: str, command: Command) -> Flow[Told]:
    """Run *command* to its end. Raises Unsupported for what there is no word for."""
    timeout = _timeout(command)
    told = {
        "cmd": list(_argv(command)),
        "workdir": str(command.workdir),
        "timeoutSeconds": timeout,
        **({"env": dict(command.env)} if command.env else {}),
    }
    answer = yield Ask(asking("POST", sandbox_target(sandbox, "exec"), told), patience=timeout + QUIET)
    return value_of(accepted(answer, 200), _told)


def upload(sandbox: str, path: PurePosixPath, archive: bytes) -> Flow[None]:
    """Unpack *archive* under *path*. It goes in one piece: a server of few lines reads nothing chunked."""
    where = sandbox_target(sandbox, "files", "upload", query=[("dest", str(path))])
    headers = {"Accept": "application/json", "Content-Type": "application/x-tar"}
    accepted((yield Ask(Request("POST", where, headers, archive), patience=WORKING)), 200)


def events_of(told: Told, limit: int, *, is_late: bool) -> tuple[Event, ...]:
    """What *told* amounts to, with at most *limit* bytes of each stream; *is_late* when its time was over."""
    output = [Stdout(told.stdout[:limit])] if told.stdout else []
    errors = [Stderr(told.stderr[:limit])] if told.stderr else []
    is_timeout = told.exit_code == _TIMED_OUT and is_late  # a program may exit with that code as well
    number = -told.exit_code if told.exit_code in _SIGNALS else None
    reason = Reason.TIMEOUT if is_timeout else Reason.SIGNALLED if number else Reason.EXITED
    end = Exited(
        reason,
        exit_code_of(reason, told.exit_code, number),
        signal=number,
        stdout_truncated=len(told.stdout) > limit,
        stderr_truncated=len(told.stderr) > limit,
        duration=told.duration,
    )
    return (Started("1"), *output, *errors, end)


def _is_plain(answer: Answer) -> bool:
    status = answer.head.status
    if status in (401, 403, 408, 429) or (status >= 500 and status != 501):
        raise refusal(answer)
    try:
        return object_from(answer.body).get("code") != "not_found"
    except InvalidSpec:
        return True


def _argv(command: Command) -> tuple[str, ...]:
    if command.code is None:
        return command.argv
    if len(command.code.encode("utf-8", "surrogatepass")) >= _LONGEST_CODE:
        raise Unsupported(f"code of {_LONGEST_CODE} bytes or more cannot be told there: put it in a file")
    return (*PYTHON, command.code)


def _timeout(command: Command) -> int:
    """Whole seconds, rounded up. Raises Unsupported for all that one request and one answer cannot carry."""
    lacking = {
        "a background process": command.background,
        "a terminal": command.tty is not None,
        "a handler": command.handler is not None,
        "standard input": command.stdin is not None,
        "a command without a timeout": command.timeout is None,
    }
    for what, is_asked in lacking.items():
        if is_asked:
            raise Unsupported(f"NoxRunner v1 has no word for {what}: leave it out, or use a sandlot server")
    return math.ceil(command.timeout or 1)


def _told(value: object) -> Told:
    fields = Fields(value)
    return Told(
        exit_code=fields.count("exitCode", least=-(2**31), most=2**31 - 1),
        stdout=_bytes(fields, "stdout"),
        stderr=_bytes(fields, "stderr"),
        duration=fields.number("durationMs", 0.0) / 1000,
    )


def _bytes(fields: Fields, name: str) -> bytes:
    # A stranger's JSON may hold half a surrogate pair, which is no UTF-8.
    return fields.file_name(name, "").encode("utf-8", "surrogateescape")
