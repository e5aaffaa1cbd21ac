"""Command: one thing to run inside a box, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import AsyncIterable, AsyncIterator, Mapping, Optional, Tuple, Union

from .errors import InvalidSpec
from .handler import Handler
from .paths import WORKSPACE, variables
from .quantity import Bytes, Seconds
from .spec import DEFAULT_TIMEOUT

_LONGEST_ARGUMENT = 131_072  # MAX_ARG_STRLEN, execve(2)
_LARGEST_CODE = 16 * 2**20


@dataclass(frozen=True)
class TerminalSize:
    """Rows and columns of a pseudo-terminal."""

    rows: int = 24
    columns: int = 80


@dataclass(frozen=True)
class Command:
    """A program to run: either *argv*, or Python *code* in the box's environment.

    With *handler* a function of the code is called besides; what it returns comes on a channel of its own,
    as a Returned event, and what the program prints can never be taken for it.

    `timeout` is wall time in seconds from the start of the program (None: no bound but the sandbox's
    lease). `stdin` of None means an empty standard input; a stream is read as the program takes it and left
    where the program ends. With `tty` the streams are one terminal and all output is standard output.
    """

    argv: Tuple[str, ...] = ()
    code: Optional[str] = None
    stdin: Union[bytes, AsyncIterable[bytes], None] = None
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: PurePosixPath = WORKSPACE
    timeout: Optional[Seconds] = DEFAULT_TIMEOUT
    tty: Optional[TerminalSize] = None
    background: bool = False
    output_limit: Optional[Bytes] = None
    """Bytes kept per stream; None means the sandbox's limit."""
    last: bool = field(default=False, compare=False)
    """Nothing will be asked of the box after it, so nothing need be made ready for another command."""
    handler: Optional[Handler] = None

    def __post_init__(self) -> None:
        """Refuse a command that is no command."""
        if bool(self.argv) == (self.code is not None):
            raise InvalidSpec("a command has either argv or code: give exactly one of them")
        for argument in self.argv:
            if "\0" in argument or len(argument) > _LONGEST_ARGUMENT:
                raise InvalidSpec(f"an argument holds a NUL or is longer than {_LONGEST_ARGUMENT} characters")
        if self.argv and not self.argv[0]:
            raise InvalidSpec("the command's first word is empty: name a program")
        if self.code is not None and len(self.code) > _LARGEST_CODE:
            raise InvalidSpec(f"code of {len(self.code)} characters is too long: at most {_LARGEST_CODE}")
        if self.handler is not None:
            self._check_handler()
        if not self.workdir.is_absolute() or ".." in self.workdir.parts:
            raise InvalidSpec(f"workdir {str(self.workdir)!r} must be absolute and without '..'")
        variables(self.env)

    def _check_handler(self) -> None:
        if self.code is None:
            raise InvalidSpec("a handler is a function of code: give code, not argv")
        if self.tty is not None or self.background:
            raise InvalidSpec("a handler has no terminal and does not run in the background: leave those out")

    async def input(self) -> AsyncIterator[bytes]:
        """Its standard input, piece by piece."""
        if isinstance(self.stdin, bytes):
            yield self.stdin
        elif self.stdin is not None:
            async for data in self.stdin:
                yield data

    @classmethod
    def shell(cls, line: str, **rest: object) -> Command:
        """A command that gives *line* to `sh -c`."""
        return cls(argv=("/bin/sh", "-c", line), **rest)  # type: ignore[arg-type]
