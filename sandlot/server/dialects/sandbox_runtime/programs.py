"""The commands that requests mean (pure)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from sandlot.contracts.command import Command
from sandlot.contracts.handler import Handler
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.quantity import Seconds

from .asked import Execution, HandlerCall, Script
from .workspace import file_inside

FAILED = 2
"""The exit code of a handler that raised. What does not load ends with 1."""

NO_VALUE = 3
"""The exit code of a handler that returned what JSON has no form for, or whose program ended before that."""

# Bash where there is one, as clients expect; `$0` is the line, or the file, and what follows its arguments.
_BASH = "if [ -x /bin/bash ]; then exec /bin/bash {0}; else exec /bin/sh {0}; fi"
_SHELL_LINE = ("/bin/sh", "-c", _BASH.format('-c "$0" shell "$@"'))
_SHELL_FILE = ("/bin/sh", "-c", _BASH.format('"$0" "$@"'))
_PYTHON = "python3"
_ENVIRON = {"HOME": str(WORKSPACE), "PYTHONPATH": str(WORKSPACE)}

# Runs the program of the event as a script, in a module of its own, and tells the variables that are asked
# for. They travel on the handler's channel, so nothing that the script prints can be taken for them.
_CAPTURE = """
def capture(event):
    import json, sys, types

    def failed(kind, error, trace):
        sys.__excepthook__(kind, error.with_traceback(trace.tb_next if trace else None), None)

    def told(value):
        try:
            return json.loads(json.dumps(value, default=str, allow_nan=False))
        except (TypeError, ValueError, RecursionError):
            return str(value)

    path, names = event["path"], event["names"]
    sys.argv = [event["shown"], *event["arguments"]]
    sys.path.insert(0, path.rpartition("/")[0])
    sys.excepthook = failed
    script = types.ModuleType("__main__")
    script.__file__ = path
    script.__builtins__ = __builtins__
    sys.modules["__main__"] = script
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    try:
        exec(code, script.__dict__)
    except SystemExit as ending:
        if ending.code not in (None, 0):
            raise
    return {name: told(vars(script)[name]) for name in names if name in vars(script)}
"""


def shell_command(asked: Execution) -> Command:
    """A line of a shell. Its arguments are put behind it as they are: no shell reads them."""
    line = asked.command + (' "$@"' if asked.arguments else "")
    return Command(argv=(*_SHELL_LINE, line, *asked.arguments), timeout=asked.timeout, env=_ENVIRON)


def script_path(asked: Script, now: float) -> PurePosixPath:
    """Where the text of *asked* is written. Raises HTTPException (400) outside the workspace."""
    extension = ".sh" if asked.is_shell else ".py"
    # Two scripts of one second are not to take each other's file.
    name = asked.filename or f"script_{int(now)}_{secrets.token_hex(4)}"
    return file_inside(name if name.endswith(extension) else name + extension)


def script_command(asked: Script, path: PurePosixPath) -> Command:
    """The script at *path*, run with its arguments."""
    if asked.is_shell:
        return Command(argv=(*_SHELL_FILE, str(path), *asked.arguments), timeout=asked.timeout, env=_ENVIRON)
    if asked.parameters:
        event = {
            "path": str(path),
            "shown": str(path.relative_to(WORKSPACE)),
            "arguments": list(asked.arguments),
            "names": list(asked.parameters),
        }
        handler = Handler("capture", event)
        return Command(code=_CAPTURE, handler=handler, timeout=asked.timeout, env=_ENVIRON)
    name = str(path.relative_to(WORKSPACE))
    argv = (_PYTHON, name if not name.startswith("-") else str(path), *asked.arguments)
    return Command(argv=argv, timeout=asked.timeout, env=_ENVIRON)


def handler_command(asked: HandlerCall, about: Mapping[str, Any]) -> Command:
    """A handler's call; its context tells *about* besides what is true of every call."""
    return Command(
        code=asked.code,
        handler=Handler(event=asked.event, context=about, raised=FAILED, valueless=NO_VALUE),
        timeout=Seconds(asked.timeout),
        env=_ENVIRON,
    )
