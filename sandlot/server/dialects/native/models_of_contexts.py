"""What requests and answers about contexts hold, for the document of the API; `wire.contexts` reads them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from .asked import ANYWHERE, Amount, Asked, Length, Variables
from .told import Count, Told

_MOST_CODE = 4 * 2**20
_Code = Annotated[str, StringConstraints(max_length=_MOST_CODE)]
_Milliseconds = Annotated[float, Field(ge=0)]
_Bundle = dict[str, Any]


class AskedContext(Asked):
    """An interpreter; what is not given is Python at /workspace."""

    language: Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9+_-]{0,31}$")] | None = None
    workdir: Annotated[str, StringConstraints(pattern=ANYWHERE)] | None = None
    env: Variables = None


class AskedCell(Asked):
    """Code for a context, whose names it shares with the cells before it."""

    code: _Code
    timeout_seconds: Length = Field(
        None, description="From its beginning; 30 when it is not given; null for no bound"
    )
    store_history: bool | None = None
    silent: bool | None = Field(None, description="Tell no result, count it not and keep it not")
    allow_input: bool | None = Field(
        None, description="Whether it may ask for input, answered by POST .../answer; streamed answers only"
    )
    output_limit: Amount = Field(None, description="Bytes of both streams of output together; 1 MiB")
    expressions: dict[str, str] | None = Field(
        None,
        description="Evaluated after a cell that ended well; their values are events of a streamed answer",
    )


class AskedAnswer(Asked):
    """The line a cell asked for."""

    text: Annotated[str, StringConstraints(max_length=65_536)]


class AskedCode(Asked):
    """Code that may be complete or not."""

    code: _Code


class AskedCompletion(Asked):
    """A place in code, counted in Unicode code points; the end when it is not given."""

    code: _Code
    cursor: Annotated[int, Field(ge=0, le=_MOST_CODE)] | None = Field(
        None, description="At most the length of the code"
    )


class AskedInspection(AskedCompletion):
    """The same; with detail 1 the source of the name is wanted too."""

    detail: Literal[0, 1] | None = None


class ContextFacts(Told):
    """What an interpreter says it is."""

    language: str
    version: str
    shell: str
    shell_version: str
    features: list[str]


class ContextEnding(Told):
    """Why an interpreter is no more."""

    end: Literal["closed", "exited", "timeout", "out_of_memory", "broken", "box_died"]
    detail: str


class Context(Told):
    """An interpreter; `ending` is null while it lives."""

    id: str
    language: str
    workdir: str
    facts: ContextFacts
    ending: ContextEnding | None


class Contexts(Told):
    """Those that were opened and not closed, in order."""

    contexts: list[Context]


class Display(Told):
    """Something shown: representations by MIME type, as text, base64 or JSON values."""

    data: _Bundle
    metadata: _Bundle
    display_id: str | None


class CellError(Told):
    """The exception a cell ended with."""

    name: str
    value: str
    traceback: list[str]


class CellResult(Told):
    """What a cell brought forth; one that fails is a result too."""

    status: Literal["ok", "error", "interrupted", "timeout", "died"]
    execution_count: Count
    stdout: str
    stderr: str
    result: _Bundle | None
    displays: list[Display]
    error: CellError | None
    duration_ms: _Milliseconds
    dropped_bytes: Count
    detail: str | None


class Completions(Told):
    """What could stand in place of the characters from `start` to `end`."""

    matches: list[str]
    start: Count
    end: Count
    metadata: _Bundle


class Inspection(Told):
    """What is known of a name."""

    found: bool
    data: _Bundle
    metadata: _Bundle


class Judgement(Told):
    """Whether code can run as it stands, and by what its next line is to be indented when it cannot."""

    status: Literal["complete", "incomplete", "invalid", "unknown"]
    indent: str


class KeptCell(Told):
    """A cell that was run."""

    execution_count: Count
    code: str


class History(Told):
    """Cells that were run, oldest first."""

    model_config = ConfigDict(title="History")

    cells: list[KeptCell]
