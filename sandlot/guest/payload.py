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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, NoReturn, Tuple

    from .launch import Launch

_ERRORS = 3
_NOT_STARTED = 70
_NOT_EXECUTABLE = 126
_NOT_FOUND = 127
_UMASK = 0o022


class Handover(BaseException):  # nothing on the way down to __main__ may catch it
    """Unwinds a payload's fork to `__main__`, where a program runs with the agent's frames gone.

    program: its text, its complete environment and its working directory; all it gets from the agent.
    """

    def __init__(self, program: Tuple[bytes, Dict[str, str], str]) -> None:
        """Take the program."""
        super().__init__()
        self.program = program


def become(launch: Launch, supervisor: int, errors: int) -> NoReturn:
    """Turn this fork of the supervisor into the command; raises Handover for a program text."""
    try:
        _enter(launch, supervisor, errors)
        if launch.argv is not None:
            execute(launch.argv, launch.env)
    except WallError as error:
        _give_up("failed", f"wall {error.wall}: {error.cause}")
    except OSError as error:
        told = refusal.from_os(error, str(error.filename or "the payload"))
        _give_up(told.code, f"the command cannot start: {told}")
    except BaseException as error:  # noqa: BLE001 - the edge of a process: the supervisor's frames lie beyond
        _give_up("failed", f"the command cannot start: {error!r}")
    os.close(_ERRORS)
    raise Handover((launch.source or b"", launch.env, launch.workdir))


def _enter(launch: Launch, supervisor: int, errors: int) -> None:
    signals.restore(python=launch.argv is None)
    stdio = tuple(os.dup(source) if source == _ERRORS else source for source in launch.stdio)
    if errors != _ERRORS:
        os.dup2(errors, _ERRORS, inheritable=False)
    descriptors.place(stdio, keep=(_ERRORS,))
    if launch.terminal:
        from . import terminal

        terminal.control(0)
    os.umask(_UMASK)
    os.chdir(launch.workdir)
    lockdown.payload(launch.plan, parent=supervisor)


def _give_up(code: str, message: str) -> NoReturn:
    try:
        os.write(_ERRORS, json_object.render({"code": code, "message": message[:4000]}))
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
