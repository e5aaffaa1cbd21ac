"""The commands that requests mean (pure)."""

from __future__ import annotations

import re
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

FAILED_HANDLER = 2
"""The exit code of a handler that raised, or whose value cannot be told. What does not load ends with 1."""

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

# Stand behind the program's text: what runs up to here is the loading of it, and fails with 1; what is raised
# from here on ends with another code.
_FAILING = f"""

def _failing():
    import sys

    said = sys.excepthook

    def failed(kind, error, trace):
        while trace is not None and trace.tb_frame.f_code.co_name == "_told_handler":
            trace = trace.tb_next
        said(kind, error.with_traceback(trace), trace)
        raise SystemExit({FAILED_HANDLER})

    sys.excepthook = failed

_failing()
del _failing
"""
_TELLING = """

def _telling(handler, about):
    import functools

    class Context:
        def __init__(self, true):
            vars(self).update({"request_id": true.request_id, "_true": true, **about})

        @property
        def remaining_time_in_millis(self):
            return about.get("remaining_time_in_millis", self._true.remaining_time_in_millis)

        def get_remaining_time_in_millis(self):
            return self.remaining_time_in_millis

    @functools.wraps(handler)
    def _told_handler(event, context=None):
        return handler(event) if context is None else handler(event, Context(context))

    return _told_handler

if "handler" not in globals():
    raise NameError("the program defines no function handler(event)")
handler = _telling(handler, ABOUT)
del _telling
"""
_TAKES_EVENT_ALONE = re.compile(r"^(?:async )?def handler\([ ]*\w+[ ]*\)", re.MULTILINE)


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
    # To compile the context takes the box a millisecond, so it is left out where nobody can ask for it.
    needs_context = bool(asked.context) or not _takes_event_alone(asked.code)
    telling = _TELLING.replace("ABOUT", repr(dict(about))) if needs_context else ""
    return Command(
        code=asked.code + telling + _FAILING,
        handler=Handler(event=asked.event),
        timeout=Seconds(asked.timeout),
        env=_ENVIRON,
    )


def _takes_event_alone(code: str) -> bool:
    """Whether *code* can hold no other handler than one that takes its event and nothing else."""
    return code.count("handler") == 1 and _TAKES_EVENT_ALONE.search(code) is not None
