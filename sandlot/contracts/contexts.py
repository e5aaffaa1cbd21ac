"""Contexts: interpreters in a box that keep their state from cell to cell."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, AsyncIterator, Mapping, Tuple

try:
    from typing import Protocol
except ImportError:  # pragma: no cover - Python 3.7 is not supported, the import says so plainly
    raise ImportError("sandlot needs Python 3.8 or later") from None

from .cells import Cell, CellEvent
from .errors import InvalidSpec
from .paths import WORKSPACE, variables

PYTHON = "python"
_LANGUAGE = re.compile(r"[a-z][a-z0-9+_-]{0,31}")


@dataclass(frozen=True)
class ContextSpec:
    """What an interpreter is asked to be: its language, where it starts, what is added to its environment."""

    language: str = PYTHON
    workdir: PurePosixPath = WORKSPACE
    env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what can be no context. Raises InvalidSpec."""
        if not isinstance(self.language, str) or not _LANGUAGE.fullmatch(self.language):
            raise InvalidSpec(f"{self.language!r:.60} is not the name of a language: use one such as python")
        if not self.workdir.is_absolute() or ".." in self.workdir.parts:
            raise InvalidSpec(f"workdir {str(self.workdir)!r} must be absolute and without '..'")
        variables(self.env)


@dataclass(frozen=True)
class ContextFacts:
    """What an interpreter says it is: hostile text, for people to read.

    `shell` is IPython or plain; `features` are the powers it has beyond running cells: await, complete,
    display, fork, history, input, inspect, is_complete, magics, matplotlib, shell.
    """

    language: str
    version: str
    shell: str
    shell_version: str = ""
    features: Tuple[str, ...] = ()


class ContextEnd(enum.Enum):
    """Why a context is no more."""

    CLOSED = "closed"
    """`close` or `restart` was called."""
    EXITED = "exited"
    """The program ended, by itself or by a signal of its own."""
    TIMEOUT = "timeout"
    """A cell outlived its timeout and did not heed the interrupt."""
    OUT_OF_MEMORY = "out_of_memory"
    BROKEN = "broken"
    """What it sent could not be understood, so it was killed."""
    BOX_DIED = "box_died"


@dataclass(frozen=True)
class ContextEnding:
    """The end of a context's interpreter; *detail* is a sentence for people, such as `exit code 3`."""

    end: ContextEnd
    detail: str = ""


@dataclass(frozen=True)
class Completions:
    """What could stand in place of the characters *start* to *end* (Unicode code points) of the code."""

    matches: Tuple[str, ...]
    start: int
    end: int
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Inspection:
    """What is known of the name under the cursor: a bundle, empty when nothing is."""

    found: bool
    data: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Completeness(enum.Enum):
    """Whether code can run as it stands."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    INVALID = "invalid"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Judgement:
    """Whether code is complete, and by what the next line is to be indented when it is not."""

    status: Completeness
    indent: str = ""


@dataclass(frozen=True)
class HistoryEntry:
    """A cell that was run, by its number."""

    execution_count: int
    code: str


@dataclass(frozen=True)
class Checkpoint:
    """The state that a context had once: a copy of its interpreter that waits, and ends with the context."""

    id: str


class Context(Protocol):
    """One interpreter. Cells and questions are served one at a time, in the order they came.

    Every method but `close`, `ended` and `restart` raises Conflict when too many wait. When the interpreter
    has died, `run` tells a DIED cell and the questions raise Conflict, until `restart`.
    """

    id: str
    spec: ContextSpec

    @property
    def facts(self) -> ContextFacts:
        """What the interpreter said of itself; a restart may change it."""

    def run(self, cell: Cell) -> AsyncIterator[CellEvent]:
        """Run *cell*: Begun, what it brings forth, then exactly one Finished.

        Closing the iterator early interrupts the cell. A reader that is slow slows the cell down.
        """

    async def answer(self, text: str) -> None:
        """Give the running cell the line it asked for. Raises Conflict when it asks for none."""

    async def interrupt(self) -> None:
        """Interrupt the running cell, as Ctrl-C does; state stays. Nothing happens when none runs."""

    async def restart(self) -> None:
        """End the interpreter and start another of the same id and spec; what waited ends as DIED.

        Raises BoxDied when there is no box any more, and as Contexts.open_context.
        """

    async def complete(self, code: str, cursor: int) -> Completions:
        """What could come at *cursor* (Unicode code points) in *code*."""

    async def inspect(self, code: str, cursor: int, *, detail: int = 0) -> Inspection:
        """What is known of the name at *cursor*; *detail* 1 adds its source."""

    async def is_complete(self, code: str) -> Judgement:
        """Whether *code* can run as it stands."""

    async def history(self, most: int = 100) -> Tuple[HistoryEntry, ...]:
        """The last *most* cells that were kept, oldest first."""

    async def fork(self) -> Context:
        """Another context with the state of this one, of the same spec; from now on both go apart.

        It is a copy-on-write fork (fork(2)), so it takes milliseconds, and memory as either side changes it.
        Raises Conflict while a cell runs or waits, when the box has as many as it may, and where a copy
        would be broken, saying by what: threads, child processes, sockets, files open for writing, tasks of
        the event loop; Unsupported where `facts.features` lacks fork; BoxDied.
        """

    async def checkpoint(self) -> Checkpoint:
        """Keep the state there is now. Raises as `fork`, and Conflict when as many as may be are kept."""

    async def rollback(self, checkpoint: Checkpoint) -> None:
        """Go on with the state of *checkpoint*, which stays; what runs or waits ends as DIED.

        An interpreter that has ended is replaced too. Raises NotFound for one that was never of this context
        or was discarded, Conflict for one that has ended, and as `fork`.
        """

    async def discard(self, checkpoint: Checkpoint) -> None:
        """Keep it no longer; idempotent."""

    async def checkpoints(self) -> Tuple[Checkpoint, ...]:
        """Those that are kept, oldest first."""

    async def ended(self) -> ContextEnding:
        """Wait for the end of the interpreter; once ended, returns at once. A restart begins a new wait."""

    async def close(self) -> None:
        """End it, with everything it started; idempotent."""


class Contexts(Protocol):
    """Feature.CONTEXTS: interpreters in a box, several at a time."""

    async def open_context(self, spec: ContextSpec) -> Context:
        """Start an interpreter and wait until it can run cells.

        Raises Unsupported for a language the environment lacks, StartFailed when it does not come up,
        Conflict when the box has as many as it may, BoxDied, InvalidSpec.
        """

    async def contexts(self) -> Tuple[Context, ...]:
        """Those that were opened and not closed, in order; also those whose interpreter has died."""
