"""What bodies ask, read into values that cannot be wrong (pure). Every function raises InvalidSpec.

Members that are not known are passed over, as the original does; null counts as not given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import identifier
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.wire.fields import Fields

from .sizes import size_from

USUAL_TIMEOUT = 300
"""Seconds for a program or handler where nothing, or nothing above zero, was asked."""

MOST_TIMEOUT = 3600
LONGEST_HANDLER = 102_400
"""Characters of a handler's code."""

MOST_DOCUMENTS = 100
_LONGEST_PARAMETER = 256
_MOST_PARAMETERS = 1000
_CONTEXT = (
    "function_name",
    "function_version",
    "request_id",
    "log_group_name",
    "log_stream_name",
    "remaining_time_in_millis",
    "memory_limit_in_mb",
    "invoked_function_arn",
)


@dataclass(frozen=True)
class Creation:
    """A file to be written."""

    filename: str
    content: str
    mode: int


@dataclass(frozen=True)
class Execution:
    """A command of a shell, with arguments that no shell reads."""

    command: str
    arguments: tuple[str, ...]
    timeout: Seconds


@dataclass(frozen=True)
class Script:
    """A program that becomes a file of the session and is run; `parameters` names what is told of it."""

    code: str
    filename: str | None
    arguments: tuple[str, ...]
    is_shell: bool
    parameters: tuple[str, ...]
    timeout: Seconds


@dataclass(frozen=True)
class HandlerCall:
    """A handler, its event, and what its context tells besides what is true of every call."""

    code: str
    event: Mapping[str, Any]
    context: Mapping[str, Any]
    timeout: int | float


@dataclass(frozen=True)
class Document:
    """One document of the document service, in one of its revisions, and the name it is saved under."""

    docid: str
    savename: str
    revision: str = ""


@dataclass(frozen=True)
class Download:
    """Documents to be fetched into a directory of the session; empty text where nothing was said."""

    documents: tuple[Document, ...]
    service: str
    directory: str
    token: str = field(repr=False)
    timeout: Seconds


def size_of_session(body: Mapping[str, Any]) -> tuple[str, Bytes] | None:
    """POST session: the size as it was said, and read; None where none was."""
    fields = Fields(body)
    if not fields.has("size"):
        return None
    text = fields.text("size")
    return text, fields.read("size", lambda: size_from(text))


def creation_from(body: Mapping[str, Any]) -> Creation:
    """POST create."""
    fields = Fields(body)
    return Creation(
        fields.text("filename"), fields.text("content"), fields.count("mode", 0o644, most=0o7777) & 0o777
    )


def execution_from(body: Mapping[str, Any]) -> Execution:
    """POST execute."""
    fields = Fields(body)
    command = fields.text("command")
    if not command.strip():
        raise fields.wrong("command", "is empty: name a program")
    return Execution(command, _texts(fields, "args"), _timeout(fields))


def script_from(body: Mapping[str, Any]) -> Script:
    """POST execute_code."""
    fields = Fields(body)
    script_type = fields.text("script_type", "python")
    if script_type not in ("python", "shell"):
        raise fields.wrong("script_type", "is unsupported: use python or shell")
    parameters = _texts(fields, "output_params")
    if len(parameters) > _MOST_PARAMETERS or any(len(name) > _LONGEST_PARAMETER for name in parameters):
        raise InvalidSpec(
            f"output_params are at most {_MOST_PARAMETERS} names of {_LONGEST_PARAMETER} characters"
        )
    return Script(
        fields.text("code"),
        fields.text("filename", "") or None,
        _texts(fields, "args"),
        script_type == "shell",
        parameters,
        _timeout(fields),
    )


def handler_from(body: Mapping[str, Any]) -> HandlerCall:
    """POST v2/execute_code."""
    fields = Fields(body)
    code = fields.text("handler_code")
    if not code.strip():
        raise fields.wrong("handler_code", "is empty: define a function handler(event)")
    if len(code) > LONGEST_HANDLER:
        raise InvalidSpec(
            f"handler_code has {len(code)} characters: {LONGEST_HANDLER} at most; put more into the event"
        )
    event = _object(fields, "event")
    return HandlerCall(code, event, _context(fields), timeout_of(event.get("__timeout", USUAL_TIMEOUT)))


def timeout_of(asked: object) -> int | float:
    """The seconds a handler gets that asks for *asked* in `event["__timeout"]`."""
    if isinstance(asked, bool) or not isinstance(asked, (int, float)):
        raise InvalidSpec("event.__timeout is not a number of seconds")
    return USUAL_TIMEOUT if asked <= 0 else min(asked, MOST_TIMEOUT)


def force_from(body: Mapping[str, Any]) -> bool:
    """POST cleanup-all."""
    return Fields(body).flag("force", default=False)


def download_from(body: Mapping[str, Any]) -> Download:
    """POST download_from_efast."""
    fields = Fields(body)
    asked = fields.items("file_params") if fields.has("file_params") else []
    if len(asked) > MOST_DOCUMENTS:
        raise InvalidSpec(f"{len(asked)} documents are too many: {MOST_DOCUMENTS} at most")
    return Download(
        tuple(_document(number, each) for number, each in enumerate(asked)),
        fields.text("efast_url", ""),
        fields.text("save_path", ""),
        fields.text("token", ""),
        _timeout(fields),
    )


def _document(number: int, asked: object) -> Document:
    fields = Fields(asked, f"file_params[{number}]")
    name = fields.text("savename", "") or f"downloaded_file_{number}"
    return Document(fields.text("docid", ""), name, fields.text("rev", ""))


def _context(fields: Fields) -> Mapping[str, Any]:
    found = _object(fields, "context")
    unknown = [name for name in found if name not in _CONTEXT]
    if unknown:
        raise InvalidSpec(f"context has no {unknown[0][:80]!r}: use {', '.join(_CONTEXT)}")
    if "request_id" in found:
        identifier(found["request_id"], "context.request_id")
    return found


def _object(fields: Fields, name: str) -> Mapping[str, Any]:
    found = fields.raw(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise fields.wrong(name, "must be an object", shown=False)
    return found


def _texts(fields: Fields, name: str) -> tuple[str, ...]:
    return fields.texts(name) if fields.has(name) else ()


def _timeout(fields: Fields) -> Seconds:
    if not fields.has("timeout"):
        return Seconds(USUAL_TIMEOUT)
    return Seconds(min(fields.amount("timeout", Seconds.parse, text=False), MOST_TIMEOUT))
