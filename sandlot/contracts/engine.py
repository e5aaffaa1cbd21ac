"""Engine and Box: the two protocols every isolation technology implements."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, AsyncIterable, AsyncIterator, Callable, Mapping, Optional, Tuple

try:
    from typing import Protocol
except ImportError:  # pragma: no cover - Python 3.7 is not supported, the import says so plainly
    raise ImportError("sandlot needs Python 3.8 or later") from None

from .capability import Feature, Viability
from .command import Command, TerminalSize
from .events import Event
from .lease import Ending
from .spec import Isolation, SandboxSpec


class Engine(Protocol):
    """A technology that makes boxes."""

    name: str
    isolation: Isolation
    """The level it reaches when its probe succeeds."""

    async def probe(self) -> Viability:
        """Run a real payload under a deadline and say what was proven, or why it does not work.

        Never raises for a machine that lacks something: that is an answer.
        """

    async def create(self, spec: SandboxSpec) -> Box:
        """A new box that fulfils *spec*.

        Raises Unsupported when something asked cannot be enforced, EngineUnavailable when the engine
        cannot work here, StartFailed when this box did not come up.
        """

    async def sweep(self) -> int:
        """Remove what a crashed predecessor left; how many things were removed."""

    async def close(self) -> None:
        """End every box of this engine; idempotent."""


class Box(Protocol):
    """One live isolated place."""

    engine: str
    isolation: Isolation
    enforced: Tuple[str, ...]
    """Walls and limits that hold for this box."""
    features: Feature
    failover: Tuple[str, ...]
    """Engines that were asked before and why they did not serve (for Result.failover); mostly empty."""

    def run(self, command: Command) -> AsyncIterator[Event]:
        """Run *command*: Started, output, then exactly one Exited or Failed.

        Closing the iterator early kills the command. A dying box is an Exited with BOX_DIED.
        """

    async def put(self, path: PurePosixPath, tar: AsyncIterable[bytes]) -> None:
        """Unpack a tar stream (gzip or not) under *path*: all of it or nothing.

        Raises InvalidSpec for a refused archive, DiskFull, PathEscape, BoxDied.
        """

    def get(self, path: PurePosixPath) -> AsyncIterator[bytes]:
        """The tar stream of *path*; links are never followed out. Raises NotFound, BoxDied."""

    async def ended(self) -> Ending:
        """Wait for the end of the box, whoever brings it about; once ended, returns at once."""

    async def close(self) -> None:
        """End the box; idempotent; nothing is left."""


class Parked(Protocol):
    """A box made ahead of any request: nothing of a user has run in it. It is claimed once or discarded."""

    @property
    def is_gone(self) -> bool:
        """Whether nothing is left of it."""

    def when_gone(self, callback: Callable[[], object]) -> None:
        """Call *callback* once it is gone, whoever brought that about; soon when it is gone already."""

    async def discard(self) -> None:
        """End it unclaimed; idempotent; nothing is left."""


class Parking(Protocol):
    """A power of an engine: it can make boxes ahead and fit one to a spec when it is claimed."""

    def stock(self, spec: SandboxSpec) -> Optional[str]:
        """The name of the stock from which a box for *spec* can be claimed; None: it is made to measure.

        Raises as Engine.create for a spec that cannot be fulfilled at all.
        """

    async def park(self, stock: str) -> Parked:
        """Make a box ahead for *stock*. Raises EngineUnavailable, StartFailed, NotFound."""

    async def claim(self, parked: Parked, spec: SandboxSpec) -> Box:
        """*parked* as a box that fulfils *spec*; whatever happens, it is not to be claimed again.

        Raises as Engine.create, and StartFailed when it died while it was parked.
        """


class Files(Protocol):
    """Feature.FILES: single file operations inside a box. Paths are absolute, beneath its roots."""

    async def stat(self, path: PurePosixPath) -> Mapping[str, Any]:
        """Kind, size, mode and mtime of *path* itself (links are not followed). Raises NotFound."""

    def list(self, path: PurePosixPath) -> AsyncIterator[Mapping[str, Any]]:
        """The entries of a directory, one by one. Raises NotFound."""

    def read(
        self, path: PurePosixPath, offset: int = 0, length: Optional[int] = None
    ) -> AsyncIterator[bytes]:
        """*length* bytes of a regular file from *offset*; the rest of it for None."""

    async def write(self, path: PurePosixPath, content: AsyncIterable[bytes], mode: int = 0o644) -> int:
        """Replace a regular file atomically; the bytes written. Raises DiskFull, PathEscape."""

    async def mkdir(self, path: PurePosixPath, *, parents: bool = False) -> None:
        """Make a directory."""

    async def move(self, path: PurePosixPath, to: PurePosixPath) -> None:
        """Rename within the sandbox."""

    async def remove(self, path: PurePosixPath, *, recursive: bool = False) -> None:
        """Remove a file, or a directory when empty or *recursive*."""


class FileWatch(Protocol):
    """Feature.FILE_WATCH."""

    def watch(self, path: PurePosixPath, *, recursive: bool = False) -> AsyncIterator[Mapping[str, Any]]:
        """Changes beneath *path* as they happen: {"path", "kind"} with created, modified, deleted, moved."""


class Processes(Protocol):
    """Feature.PROCESSES: programs that run on while others come and go."""

    async def start(self, command: Command) -> str:
        """Start *command* in the background; the process's name."""

    async def processes(self) -> Tuple[Mapping[str, Any], ...]:
        """Every background process and running command: id, argv, running, exit_code, signal."""

    async def signal(self, process: str, number: int) -> None:
        """Send signal *number* to the process's group. Raises NotFound."""

    async def feed(self, process: str, data: bytes, *, end: bool = False) -> None:
        """Write to the process's standard input; *end* closes it."""

    async def wait(self, process: str, timeout: Optional[float] = None) -> Mapping[str, Any]:
        """The process's row once it has ended. Raises TimedOut after *timeout* seconds."""

    async def output(self, process: str, offset: int = 0) -> Tuple[bytes, int, int]:
        """Kept output from *offset*: the bytes, the next offset, how many earlier bytes were dropped."""


class Terminals(Protocol):
    """Feature.TERMINALS: a command on a pseudo-terminal, typed to while it runs."""

    async def open(self, command: Command) -> Terminal:
        """Run *command* (its `tty` gives the size) and hold its terminal."""


class Terminal(Protocol):
    """One live pseudo-terminal."""

    def events(self) -> AsyncIterator[Event]:
        """Output as Stdout events, then one Exited."""

    async def type(self, data: bytes) -> None:
        """Bytes typed at the keyboard."""

    async def resize(self, size: TerminalSize) -> None:
        """Change the window size; the program gets SIGWINCH."""

    async def close(self) -> None:
        """Hang up: the whole process tree is killed; idempotent."""
