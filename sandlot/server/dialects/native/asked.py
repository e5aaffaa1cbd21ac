"""What requests hold, for the document of the API only: `wire.values` is what reads them.

tests/unit/native compares the two, so that neither knows a field the other does not.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel

ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
# One name of a path, anything but "..": without look-ahead, of which generators of test data make nothing.
_NAME = r"(?:[^./\u0000][^/\u0000]{0,254}|\.(?:[^./\u0000][^/\u0000]{0,253})?|\.\.[^/\u0000]{1,253})"
_NO_DOT = r"(?:[^./\u0000][^/\u0000]{0,254}|\.[^./\u0000][^/\u0000]{0,253}|\.\.[^/\u0000]{1,253})"
PATH_PATTERN = rf"^(?:/(?:workspace|tmp)|{_NAME})(?:/{_NAME})*/?$"
"""A path in the directories whose files can be reached."""

BENEATH_PATTERN = rf"^(?:/(?:workspace|tmp)/)?(?:\./)*{_NO_DOT}(?:/{_NAME})*/?$"
"""The same without those directories themselves, which stay as they are."""

ANYWHERE = rf"^(?:/|/?{_NAME}(?:/{_NAME})*/?)$"
_FILE_PATTERN = rf"^{_NAME}(?:/{_NAME})*$"
_IMAGE_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,254}$"
_HANDLER = "^[A-Za-z_][A-Za-z0-9_]{0,254}$"
_NO_NUL = r"^[^\u0000]*$"
_BYTES_PATTERN = "^[1-9][0-9]{0,5}(?:\\.[0-9]{1,3})?(?:[kKMGT]|[KMGT]i)?B?$"
_CORES_PATTERN = "^[1-9][0-9]{0,2}(?:\\.[0-9]{1,3})?$|^[1-9][0-9]{0,5}m$"
_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_YEAR = 366 * 86400

Identifier = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
SandboxPath = Annotated[str, StringConstraints(pattern=PATH_PATTERN)]
_Beneath = Annotated[str, StringConstraints(pattern=BENEATH_PATTERN)]
Amount = (
    Annotated[int, Field(ge=1, lt=2**60)] | Annotated[str, StringConstraints(pattern=_BYTES_PATTERN)] | None
)
_Cores = (
    Annotated[float, Field(ge=0.001, le=4096)]
    | Annotated[str, StringConstraints(pattern=_CORES_PATTERN)]
    | None
)
_Count = Annotated[int, Field(ge=1, le=10_000_000)] | None
# As engines.grants has it: with fewer no box starts.
_Tasks = Annotated[int, Field(ge=4, le=2**22)] | None
_Descriptors = Annotated[int, Field(ge=16, le=10_000_000)] | None
Length = Annotated[float, Field(gt=0, le=_YEAR)] | None
_Word = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=131_072)]

_Base64 = Annotated[str, StringConstraints(pattern=_BASE64)]


def _by_name(pattern: str, values: dict[str, Any]) -> WithJsonSchema:
    """An object of texts, every name of which fits *pattern*."""
    names = {"pattern": pattern}
    return WithJsonSchema({"type": "object", "propertyNames": names, "additionalProperties": values})


_TEXT = {"type": "string"}
Variables = (
    Annotated[
        dict[str, str],
        _by_name("^[A-Za-z_][A-Za-z0-9_]{0,255}$", {**_TEXT, "pattern": _NO_NUL, "maxLength": 131_072}),
    ]
    | None
)
_Files = Annotated[dict[str, str], _by_name(_FILE_PATTERN, _TEXT)] | None
_EncodedFiles = Annotated[dict[str, str], _by_name(_FILE_PATTERN, {**_TEXT, "pattern": _BASE64})] | None


def _either(first: str, kind: str, second: str, other: str) -> dict[str, Any]:
    """Exactly one of two fields; null counts as not given."""
    absent = {"type": "null"}
    return {
        "oneOf": [
            {"required": [first], "properties": {first: {"type": kind}, second: absent}},
            {"required": [second], "properties": {second: {"type": other}, first: absent}},
        ]
    }


def _together(*pairs: tuple[str, Any, str, Any]) -> list[Any]:
    """Pairs of fields with values that exclude each other."""
    return [{"required": [one, two], "properties": {one: this, two: that}} for one, this, two, that in pairs]


def _never(pairs: list[Any]) -> dict[str, Any]:
    """None of *pairs* together."""
    return {"not": {"anyOf": pairs}}


class Asked(BaseModel):
    """What every model of a request has in common."""

    # Built when the document is asked for: a server starts an eighth of a second earlier.
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", defer_build=True)


class AskedLimits(Asked):
    """Upper bounds. One that cannot be enforced is refused with 422."""

    memory: Amount = None
    cpu: _Cores = None
    pids: _Tasks = None
    disk: Amount = None
    inodes: _Count = None
    output: Amount = None
    open_files: _Descriptors = None


_GIVEN = {"not": {"type": "null"}}
_ALIASES = _together(
    *(
        (alias, _GIVEN, "limits", {"type": "object", "required": [name], "properties": {name: _GIVEN}})
        for alias, name in (
            ("cpuLimit", "cpu"),
            ("memoryLimit", "memory"),
            ("ephemeralStorageLimit", "disk"),
        )
    ),
    ("image", _GIVEN, "environment", _GIVEN),
)


class _SpecFields(Asked):
    ttl_seconds: Length = None
    image: Annotated[str, StringConstraints(pattern=_IMAGE_PATTERN)] | None = Field(
        None, description="A container image's name that the server maps to an environment, or an environment"
    )
    environment: Identifier | None = None
    isolation: Literal["process", "namespace", "userkernel", "vm"] | None = None
    engine: Identifier | None = None
    network: Literal["none", "full"] | None = None
    env: Variables = None
    limits: AskedLimits | None = None
    cpu_limit: _Cores = Field(None, description="As limits.cpu")
    memory_limit: Amount = Field(None, description="As limits.memory")
    ephemeral_storage_limit: Amount = Field(None, description="As limits.disk")


class AskedSandbox(_SpecFields):
    """What a sandbox is asked to be. For one that exists, what is not given means: as it is."""

    model_config = ConfigDict(json_schema_extra=_never(_ALIASES))


class AskedTerminal(Asked):
    """The size of a terminal's window."""

    rows: Annotated[int, Field(ge=1, le=65_535)] | None = None
    columns: Annotated[int, Field(ge=1, le=65_535)] | None = None


class _ProgramFields(Asked):
    cmd: list[_Word] | None = Field(
        None,
        min_length=1,
        json_schema_extra={"prefixItems": [{"type": "string", "minLength": 1}]},
        description="The program and its arguments; no shell is involved",
    )
    code: Annotated[str, StringConstraints(max_length=16 * 2**20)] | None = Field(
        None, description="Python text, run in the sandbox's environment"
    )
    workdir: Annotated[str, StringConstraints(pattern=ANYWHERE)] | None = Field(
        None, description="/workspace when it is not given"
    )
    env: Variables = None
    timeout_seconds: Length = Field(
        None, description="The server's setting `timeout`, 30, when it is not given; null for no bound"
    )
    stdin: str | None = None
    stdin_base64: _Base64 | None = Field(None, alias="stdinBase64")
    stdin_stream: bool | None = Field(
        None, description="Standard input comes by POST .../input; streamed answers only"
    )
    tty: AskedTerminal | None = None
    output_limit: Amount = Field(None, description="Bytes kept of each stream of output")


class _CommandFields(_ProgramFields):
    handler: Annotated[str, StringConstraints(pattern=_HANDLER)] | None = Field(
        None,
        description="The function of the code that is called with `event`, or with `event` and a context; "
        "what it returns is `result`",
    )
    event: Any = Field(None, description="What the handler is given: at most 2 MiB, 64 levels deep")


_PROGRAM = _either("cmd", "array", "code", "string")
_INPUTS = _together(
    ("stdin", _TEXT, "stdinBase64", _TEXT),
    ("stdin", _TEXT, "stdinStream", {"const": True}),
    ("stdinBase64", _TEXT, "stdinStream", {"const": True}),
)


_HANDLERS = [
    *_together(("handler", _TEXT, "cmd", {"type": "array"}), ("handler", _TEXT, "tty", {"type": "object"})),
    {
        "required": ["event"],
        "properties": {"event": _GIVEN},
        "not": {"required": ["handler"], "properties": {"handler": _TEXT}},
    },
]


class AskedCommand(_CommandFields):
    """One command: a program with its arguments, or Python text and a handler in it."""

    model_config = ConfigDict(json_schema_extra={**_PROGRAM, **_never([*_INPUTS, *_HANDLERS])})


class AskedProcess(_ProgramFields):
    """A program that runs in the background: one with its arguments, or Python text."""

    model_config = ConfigDict(json_schema_extra={**_PROGRAM, **_never(_INPUTS)})


class AskedRun(_SpecFields, _CommandFields):
    """One command in a sandbox of its own: made, used once, gone."""

    stdin_stream: Literal[False] | None = Field(None, description="Not here: give stdin or stdinBase64")
    files: _Files = Field(None, description="Text of files, by path")
    files_base64: _EncodedFiles = Field(None, alias="filesBase64")
    model_config = ConfigDict(json_schema_extra={**_PROGRAM, **_never([*_ALIASES, *_INPUTS[:1], *_HANDLERS])})


class AskedDirectory(Asked):
    """A directory to make."""

    path: SandboxPath
    parents: bool | None = Field(None, description="Make what is missing above; being there is fine then")


class AskedMove(Asked):
    """A file or directory to rename."""

    path: _Beneath
    to: _Beneath


class AskedSignal(Asked):
    """A signal to send."""

    signal: Annotated[int, Field(ge=1, le=64)]
