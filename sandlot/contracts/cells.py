"""Cell: one piece of code for a context, and the events it brings forth: one union of ten kinds.

The words are those of Jupyter's messages where they mean the same
(https://jupyter-client.readthedocs.io/en/stable/messaging.html), the values are plain: a *bundle* maps MIME
types to one representation each, text as text, binary ones as base64, JSON ones as JSON values.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from .errors import InvalidSpec
from .quantity import Bytes, Seconds
from .spec import DEFAULT_TIMEOUT

LARGEST_CELL = 4 * 2**20
"""Characters of code one cell may have."""

LARGEST_ANSWER = 65_536
"""Characters one answer to `input()` may have."""

MOST_EXPRESSIONS = 100
"""Expressions one cell may ask the values of."""

DEFAULT_OUTPUT = Bytes(2**20)
"""Bytes of standard output and standard error, taken together, that are told of one cell."""


class CellStatus(enum.Enum):
    """How a cell ended. After `DIED` and `TIMEOUT` its context may be gone: ask `Context.ended`."""

    OK = "ok"
    ERROR = "error"
    INTERRUPTED = "interrupted"
    TIMEOUT = "timeout"
    DIED = "died"


class StreamName(enum.Enum):
    """Where text was written to."""

    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True)
class Cell:
    """Code to run in a context, whose names it shares with all cells before it.

    `timeout` is seconds from the moment it begins, not from the moment it was given: cells run one by one.
    When it is over the cell is interrupted, and if it does not end by that the context is killed. A *silent*
    cell tells no result, is not counted and not kept in the history. Without *allow_input* a cell that asks
    for input gets an exception. `output_limit` is bytes of both streams together: what is more is told by
    its first and its last half, with a note between them. `expressions`, by any name, are evaluated after a
    cell that ended well, and told as Evaluated.
    """

    code: str
    timeout: Optional[Seconds] = DEFAULT_TIMEOUT
    store_history: bool = True
    silent: bool = False
    allow_input: bool = False
    output_limit: Bytes = DEFAULT_OUTPUT
    expressions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what can be no cell. Raises InvalidSpec."""
        sound_text(self.code, LARGEST_CELL, "the code of a cell")
        if len(self.expressions) > MOST_EXPRESSIONS:
            raise InvalidSpec(f"a cell has {len(self.expressions)} expressions: {MOST_EXPRESSIONS} at most")
        for name, expression in self.expressions.items():
            sound_text(name, LARGEST_ANSWER, "the name of an expression")
            sound_text(expression, LARGEST_ANSWER, "an expression")


def sound_text(text: str, longest: int, what: str) -> str:
    """*text* itself when it is Unicode of at most *longest* characters; else InvalidSpec, of *what*."""
    if not isinstance(text, str):
        raise InvalidSpec(f"{what} is text, not {type(text).__name__}")
    if len(text) > longest:
        raise InvalidSpec(f"{what} has {len(text)} characters: {longest} at most; put more into a file")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidSpec(f"{what} is not valid Unicode: it holds half of a surrogate pair") from None
    return text


@dataclass(frozen=True)
class Begun:
    """The cell runs now; the first event. *execution_count* is the number in `In [n]`."""

    execution_count: int


@dataclass(frozen=True)
class Streamed:
    """Text that the cell, or a program it started, wrote."""

    stream: StreamName
    text: str


@dataclass(frozen=True)
class Displayed:
    """Something shown: by `display()`, by a plot, by a pager.

    With *update* it takes the place of everything shown under the same *display_id* before, also by earlier
    cells. *metadata* goes by MIME type too. What is *paged* is to be read beside the output, as `name?` is.
    """

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    display_id: Optional[str] = None
    update: bool = False
    paged: bool = False


@dataclass(frozen=True)
class Resulted:
    """The value of the cell's last expression: `Out [n]`."""

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    execution_count: int = 0


@dataclass(frozen=True)
class InputAsked:
    """The cell waits for `Context.answer`. A *password* is not to be shown while it is typed."""

    prompt: str = ""
    password: bool = False


@dataclass(frozen=True)
class Raised:
    """The cell ended with an exception. *traceback* is lines of the user's code, with ANSI colours or not."""

    name: str
    value: str
    traceback: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Suggested:
    """Code to begin the next cell with; with *replace* it is to take the place of this cell's code."""

    code: str
    replace: bool = False


@dataclass(frozen=True)
class Evaluated:
    """The value of the cell's expression called *name*: a bundle, or the *error* that it ended with."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    error: Optional[Raised] = None


@dataclass(frozen=True)
class Cleared:
    """Forget the output of this cell so far; with *wait* only when the next comes."""

    wait: bool = False


@dataclass(frozen=True)
class Finished:
    """The cell is over: always the last event, exactly one.

    `duration` is seconds from Begun. `dropped` is how many bytes of output were left out in the middle.
    `detail` says for DIED, and for a TIMEOUT that took the context along, how the context ended.
    """

    status: CellStatus
    execution_count: int = 0
    duration: float = 0.0
    dropped: int = 0
    detail: Optional[str] = None


CellEvent = Union[
    Begun, Streamed, Displayed, Resulted, InputAsked, Raised, Suggested, Evaluated, Cleared, Finished
]


@dataclass(frozen=True)
class CellResult:
    """What the events of a cell amount to; `cell_result.fold` makes it.

    `displays` are in order, each as last updated; `result` is the bundle of the last expression.
    """

    status: CellStatus
    execution_count: int = 0
    stdout: str = ""
    stderr: str = ""
    result: Optional[Resulted] = None
    displays: Tuple[Displayed, ...] = ()
    error: Optional[Raised] = None
    duration: float = 0.0
    dropped: int = 0
    detail: Optional[str] = None

    @property
    def ok(self) -> bool:
        """Whether the cell ran to its end without an exception."""
        return self.status is CellStatus.OK

    @property
    def text(self) -> str:
        """What a person would read: standard output, and behind it the result's plain text."""
        plain = "" if self.result is None else str(self.result.data.get("text/plain", ""))
        return self.stdout + plain

    @property
    def bundles(self) -> Tuple[Mapping[str, Any], ...]:
        """The bundles of everything shown, the result last."""
        shown = tuple(each.data for each in self.displays)
        return shown if self.result is None else (*shown, self.result.data)

    def representations(self, mime: str) -> Tuple[Any, ...]:
        """Everything shown that has the form *mime*, such as image/png."""
        return tuple(bundle[mime] for bundle in self.bundles if mime in bundle)

    def to_json(self) -> Dict[str, Any]:
        """As the HTTP API tells it: camelCase, milliseconds."""
        return {
            "status": self.status.value,
            "executionCount": self.execution_count,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "result": None if self.result is None else dict(self.result.data),
            "displays": [_display(each) for each in self.displays],
            "error": None if self.error is None else _error(self.error),
            "durationMs": round(self.duration * 1000, 3),
            "droppedBytes": self.dropped,
            "detail": self.detail,
        }


def _display(shown: Displayed) -> Dict[str, Any]:
    return {"data": dict(shown.data), "metadata": dict(shown.metadata), "displayId": shown.display_id}


def _error(raised: Raised) -> Dict[str, Any]:
    return {"name": raised.name, "value": raised.value, "traceback": list(raised.traceback)}
