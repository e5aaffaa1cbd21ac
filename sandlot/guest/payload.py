"""The child's side of the door: a fresh fork becomes the command, behind all walls, or says why it cannot.

Nothing of the user has run before the walls are up. What fails before is told through a close-on-exec pipe to
the supervisor and ends the request with an error; what fails in exec is told as a shell tells it.
"""

from __future__ import annotations

import errno
import os

from ..walls import lockdown
from ..walls.lockdown import WallError
from ..wire import json_object
from . import (
    descriptors,
    refusal,
    runner,  # noqa: F401 - run by __main__, loaded here: behind the walls its file may be out of reach
    signals,
)
from .handler import PASSING, VALUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, NoReturn, Optional, Tuple, Union

    from .contexts.opening import Opening
    from .handler import Call
    from .launch import Launch

ERRORS = 3
"""Where a payload tells what went wrong before its program runs."""

LONGEST_COMPLAINT = 3072
"""Bytes of what it tells, as JSON: what waits for it has room for this and little more."""

_NOT_STARTED = 70
_NOT_EXECUTABLE = 126
_NOT_FOUND = 127
_UMASK = 0o022
_kept: List[BaseException] = []


class Handover(BaseException):  # nothing on the way down to __main__ may catch it
    """Unwinds a payload's fork to `__main__`, where a program runs with the agent's frames off the stack.

    program: its text, its complete environment, its working directory and what is called of it; all it gets
    from the agent. What those frames held lives on where no program looks: to take it apart would copy up to
    160 pages of memory, and close descriptors that are somebody else's by now.
    """

    def __init__(self, program: Tuple[bytes, Dict[str, str], str, Union[Call, Opening, None]]) -> None:
        """Take the program."""
        super().__init__()
        self.program = program
        _kept.append(self)


class Edge:
    """The edge of a payload's process: whatever goes wrong within is told on descriptor 3, and it ends.

    Only a Handover gets out, on its way to `__main__`.
    """

    def __enter__(self) -> None:
        """Nothing to do on the way in."""

    def __exit__(self, _kind: object, error: Optional[BaseException], _traceback: object) -> None:
        if isinstance(error, Handover):
            return
        if isinstance(error, WallError):
            _give_up("failed", f"wall {error.wall}: {error.cause}")
        if isinstance(error, OSError):
            told = refusal.from_os(error, str(error.filename or "the payload"))
            _give_up(told.code, f"the command cannot start: {told}")
        _give_up("failed", f"the command cannot start: {error!r}")


def become(launch: Launch, supervisor: int, errors: int) -> NoReturn:
    """Turn this fork of the supervisor into the command; raises Handover for a program text."""
    with Edge():
        _enter(launch, supervisor, errors)
        if launch.argv is not None:
            execute(launch.argv, launch.env)
        os.close(ERRORS)
        call = launch.opening or launch.call
        raise Handover((launch.source or b"", launch.env, launch.workdir, call))


def _enter(launch: Launch, supervisor: int, errors: int) -> None:
    signals.restore(python=launch.argv is None)
    taken = (ERRORS, VALUE, PASSING)
    stdio = tuple(os.dup(source) if source in taken else source for source in launch.stdio)
    value = os.dup(launch.value) if launch.value in taken else launch.value
    passing = os.dup(launch.passing) if launch.passing in taken else launch.passing
    if errors != ERRORS:
        os.dup2(errors, ERRORS, inheritable=False)
    kept = [ERRORS]
    for source, target in ((value, VALUE), (passing, PASSING)):
        if source is not None:
            os.dup2(source, target, inheritable=False)
            kept.append(target)
    descriptors.place(stdio, keep=(*lockdown.held(), *kept))
    if launch.terminal:
        from . import terminal

        terminal.control(0)
    os.umask(_UMASK)
    os.chdir(launch.workdir)
    lockdown.payload(launch.plan, parent=supervisor)


def _give_up(code: str, message: str) -> NoReturn:
    try:
        complaint = json_object.render({"code": code, "message": message})
        if len(complaint) > LONGEST_COMPLAINT:  # a path, mostly: how it begins, and what the matter is
            message = f"{message[:180]}...{message[-60:]}"
            complaint = json_object.render({"code": code, "message": message})
        os.write(ERRORS, complaint)
    finally:
        os._exit(_NOT_STARTED)


def execute(argv: List[str], env: Dict[str, str]) -> NoReturn:
    """Exec as a shell does: PATH of the command's own environment, exit 127 or 126 with a line on stderr."""
    status, why = _NOT_FOUND, "not found"
    for candidate in candidates(argv[0], env.get("PATH", os.defpath)):
        try:
            _exec(candidate, argv, env)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                status, why = _NOT_EXECUTABLE, os.strerror(error.errno or 0)
                if error.errno != errno.EACCES:  # as execvp(3): only a refusal lets it look further
                    break
    line = f"{argv[0]}: {why}\n".encode("utf-8", "surrogateescape")
    try:
        os.write(2, line)
    finally:
        os._exit(status)


def candidates(command: str, path: str) -> Tuple[str, ...]:
    """The files a command name may mean, in order; empty directories of PATH mean the working directory."""
    if not command or "/" in command:
        return (command,) if command else ()
    return tuple(f"{directory or '.'}/{command}" for directory in path.split(":"))


def _exec(candidate: str, argv: List[str], env: Dict[str, str]) -> None:
    try:
        os.execve(candidate, argv, env)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        os.execve("/bin/sh", ["/bin/sh", candidate, *argv[1:]], env)  # a script without `#!`, as execvp(3)
