"""Command and RunRequest as JSON: what is to run, over the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.handler import Handler
from sandlot.contracts.paths import WORKSPACE, sandbox_path, variables
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import DEFAULT_TIMEOUT

from .fields import Fields, one_of, text_or_base64
from .specs import spec_of, spec_to_json

_FILES = frozenset(("files", "filesBase64"))
_INPUTS = frozenset(("stdin", "stdinBase64", "stdinStream"))
_MOST_ROWS = 65_535  # struct winsize, ioctl_tty(2)


@dataclass(frozen=True)
class AskedCommand:
    """A command as it was asked; with `streams_stdin` its input comes by requests of its own."""

    command: Command
    streams_stdin: bool = False


def command_to_json(command: Command) -> Dict[str, Any]:
    """*command* as a request's fields; a stream as standard input becomes `stdinStream`.

    `background` is not among them: the route says it. Raises Unsupported for a handler's context and exit
    codes, which the protocol has no fields for.
    """
    handler = command.handler
    if handler is not None and handler.context:
        raise Unsupported("a handler's context does not travel to another server: put it into the event")
    if handler is not None and (handler.raised, handler.valueless) != (1, 1):
        raise Unsupported("exit codes of a handler's own do not travel to another server: leave them at 1")
    told: Dict[str, Any] = {"code": command.code} if command.code is not None else {"cmd": list(command.argv)}
    if command.handler is not None:
        told["handler"], told["event"] = command.handler.name, command.handler.event
    if command.workdir != WORKSPACE:
        told["workdir"] = str(command.workdir)
    if command.env:
        told["env"] = dict(command.env)
    told["timeoutSeconds"] = None if command.timeout is None else float(command.timeout)
    if isinstance(command.stdin, bytes):
        is_text, text = text_or_base64(command.stdin)
        told["stdin" if is_text else "stdinBase64"] = text
    elif command.stdin is not None:
        told["stdinStream"] = True
    if command.tty is not None:
        told["tty"] = size_to_json(command.tty)
    if command.output_limit is not None:
        told["outputLimit"] = int(command.output_limit)
    return told


def command_from(value: object) -> AskedCommand:
    """The command that a request's *value* asks for; raises InvalidSpec that names the field."""
    fields = Fields(value)
    asked = command_of(fields)
    fields.end()
    return asked


def command_of(fields: Fields, *, last: bool = False) -> AskedCommand:
    """As `command_from`, leaving other fields untouched; *last* as Command has it."""
    argv, code = _program(fields)
    stdin, streams = _stdin(fields)
    workdir = fields.file_name("workdir") if fields.has("workdir") else None
    env = fields.read("env", lambda: variables(fields.mapping("env"))) if fields.has("env") else {}
    limit = fields.amount("outputLimit", Bytes.parse) if fields.has("outputLimit") else None
    handler = _handler(fields)
    command = fields.read(
        "cmd" if argv else "code",
        lambda: Command(
            argv=argv,
            code=code,
            stdin=stdin,
            env=env,
            workdir=WORKSPACE if workdir is None else fields.read("workdir", lambda: sandbox_path(workdir)),
            timeout=timeout_of(fields),
            tty=_size(fields),
            output_limit=limit,
            last=last,
            handler=handler,
        ),
    )
    return AskedCommand(command, streams)


def run_to_json(request: RunRequest) -> Dict[str, Any]:
    """*request* as the body of `POST /v1/run`; the sandbox's variables join the command's.

    Raises Unsupported for mounts, InvalidSpec for a stream as standard input.
    """
    command = replace(request.command, env=request.spec.environ(request.command.env))
    told = {**spec_to_json(replace(request.spec, env={})), **command_to_json(command)}
    if "stdinStream" in told:
        raise InvalidSpec("a run takes its standard input whole: give bytes, or run in a sandbox of its own")
    texts: Dict[str, str] = {}
    others: Dict[str, str] = {}
    for name, content in request.files.items():
        is_text, text = text_or_base64(content)
        (texts if is_text else others)[name] = text
    return {**told, **({"files": texts} if texts else {}), **({"filesBase64": others} if others else {})}


def run_from(value: object) -> RunRequest:
    """The run that a request's *value* asks for; raises InvalidSpec that names the field."""
    fields = Fields(value)
    asked = command_of(fields, last=True)
    spec = spec_of(fields, with_env=False)
    files = _files(fields)
    fields.end()
    if asked.streams_stdin:
        raise InvalidSpec("field stdinStream needs a sandbox of its own: use stdin or stdinBase64 here")
    return RunRequest(asked.command, spec, files)


def size_to_json(size: TerminalSize) -> Dict[str, Any]:
    """The size of a terminal's window."""
    return {"rows": size.rows, "columns": size.columns}


def size_from(value: object, what: str = "tty") -> TerminalSize:
    """The size that *value* tells; raises InvalidSpec."""
    fields = Fields(value, what)
    usual = TerminalSize()
    size = TerminalSize(
        rows=fields.count("rows", usual.rows, least=1, most=_MOST_ROWS),
        columns=fields.count("columns", usual.columns, least=1, most=_MOST_ROWS),
    )
    fields.end()
    return size


def timeout_of(fields: Fields) -> Optional[Seconds]:
    """The timeout asked for: None for null, the usual one when it is not given. Raises InvalidSpec."""
    if fields.is_null("timeoutSeconds"):
        return None
    if not fields.has("timeoutSeconds"):
        return DEFAULT_TIMEOUT
    return fields.amount("timeoutSeconds", Seconds.parse, text=False)


def _program(fields: Fields) -> Tuple[Tuple[str, ...], Optional[str]]:
    given = one_of(fields, ("cmd", "code"))
    if given is None:
        raise InvalidSpec("field cmd or code is missing: give one of them")
    if given == "code":
        return (), fields.text("code")
    argv = fields.texts("cmd")
    if not argv:
        raise InvalidSpec("field cmd is empty: name a program")
    return argv, None


def _handler(fields: Fields) -> Optional[Handler]:
    if not fields.has("handler"):
        if fields.has("event"):
            raise fields.wrong("event", "needs field handler: name the function it is for", shown=False)
        return None
    return fields.read("handler", lambda: Handler(fields.text("handler"), fields.raw("event")))


def _stdin(fields: Fields) -> Tuple[Optional[bytes], bool]:
    if fields.lacks(_INPUTS):
        return None, False
    streams = fields.flag("stdinStream", default=False)
    given = one_of(fields, ("stdin", "stdinBase64"))
    if given and streams:
        raise InvalidSpec(f"fields {given} and stdinStream exclude each other: give one of them")
    if given is None:
        return None, streams
    return fields.base64(given) if given == "stdinBase64" else fields.text(given).encode(), streams


def _size(fields: Fields) -> Optional[TerminalSize]:
    return size_from(fields.raw("tty")) if fields.has("tty") else None


def _files(fields: Fields) -> Dict[str, bytes]:
    if fields.lacks(_FILES):
        return {}
    texts = fields.mapping("files")
    encoded = fields.mapping("filesBase64")
    twice = texts.keys() & encoded.keys()
    if twice:
        raise InvalidSpec(f"the file {min(twice)!r} is in files and in filesBase64: give it once")
    files: Dict[str, bytes] = {}
    inner = fields.inner("files")
    for name in texts:
        files[name] = inner.text(name).encode()
    inner = fields.inner("filesBase64")
    for name in encoded:
        files[name] = inner.base64(name)
    for name in files:
        fields.read("files", lambda name=name: sandbox_path(name))  # type: ignore[misc]
    return files
