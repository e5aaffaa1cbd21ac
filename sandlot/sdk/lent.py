"""The sandboxes of this process for threads: each call waits for the event loop in the background."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Optional,
    Tuple,
)

from sandlot.client.pieces import Pieces
from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.contexts import ContextSpec
from sandlot.contracts.engine import Terminal
from sandlot.contracts.events import Event
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import SandboxSpec

from .lent_context import LentContext
from .powers import PowerfulBox

if TYPE_CHECKING:
    from sandlot.local.iteration import Background
    from sandlot.local.service import LocalService


class LentService:
    """A LocalService of this process and the loop it lives on. Needs Python 3.11."""

    def __init__(self, opening: Optional[Callable[[], Coroutine[Any, Any, LocalService]]] = None) -> None:
        """Start the loop and open a service there; by default one in which nothing starts yet."""
        from sandlot.local.iteration import Background
        from sandlot.local.start import start

        self._background = Background()
        try:
            self._service = start() if opening is None else self._background.wait(opening())
        except BaseException:
            self._background.close()
            raise

    def ensure(self, sandbox: str, spec: SandboxSpec) -> SandboxStatus:
        return self._background.wait(self._service.ensure(sandbox, spec))

    def status(self, sandbox: str) -> SandboxStatus:
        return self._background.wait(self._service.status(sandbox))

    def touch(self, sandbox: str) -> SandboxStatus:
        return self._background.wait(self._service.touch(sandbox))

    def reach(self, sandbox: str) -> LentBox:
        box = self._background.wait(self._service.reach(sandbox))
        return LentBox(self._background, box)  # type: ignore[arg-type] # its face asks for each power it uses

    def delete(self, sandbox: str) -> None:
        self._background.wait(self._service.delete(sandbox))

    def close(self) -> None:
        try:
            self._background.wait(self._service.close())
        finally:
            self._background.close()


class LentBox:
    """A box on the loop in the background; what it can do is what its features announce."""

    def __init__(self, background: Background, box: PowerfulBox) -> None:
        """Wait on *background* for *box*."""
        self._background, self._box = background, box
        self.engine, self.isolation, self.enforced = box.engine, box.isolation, box.enforced
        self.features, self.failover = box.features, box.failover

    def run(self, command: Command) -> Generator[Event, None, None]:
        yield from self._background.iterate(self._box.run(command))

    def put(self, path: PurePosixPath, tar: Iterable[bytes]) -> None:
        self._background.wait(self._box.put(path, Pieces(tar)))

    def get(self, path: PurePosixPath) -> Generator[bytes, None, None]:
        yield from self._background.iterate(self._box.get(path))

    def stat(self, path: PurePosixPath) -> Mapping[str, Any]:
        return self._background.wait(self._box.stat(path))

    def list(self, path: PurePosixPath) -> Iterator[Mapping[str, Any]]:
        return self._background.iterate(self._box.list(path))

    def read(
        self, path: PurePosixPath, offset: int = 0, length: Optional[int] = None
    ) -> Generator[bytes, None, None]:
        yield from self._background.iterate(self._box.read(path, offset, length))

    def mkdir(self, path: PurePosixPath, *, parents: bool = False) -> None:
        self._background.wait(self._box.mkdir(path, parents=parents))

    def move(self, path: PurePosixPath, to: PurePosixPath) -> None:
        self._background.wait(self._box.move(path, to))

    def remove(self, path: PurePosixPath, *, recursive: bool = False) -> None:
        self._background.wait(self._box.remove(path, recursive=recursive))

    def watch(
        self, path: PurePosixPath, *, recursive: bool = False
    ) -> Generator[Mapping[str, Any], None, None]:
        yield from self._background.iterate(self._box.watch(path, recursive=recursive))

    def start(self, command: Command) -> str:
        return self._background.wait(self._box.start(command))

    def processes(self) -> Tuple[Mapping[str, Any], ...]:
        return self._background.wait(self._box.processes())

    def signal(self, process: str, number: int) -> None:
        self._background.wait(self._box.signal(process, number))

    def feed(self, process: str, data: bytes, *, end: bool = False) -> None:
        self._background.wait(self._box.feed(process, data, end=end))

    def wait(self, process: str, timeout: Optional[float] = None) -> Mapping[str, Any]:
        return self._background.wait(self._box.wait(process, timeout))

    def output(self, process: str, offset: int = 0) -> Tuple[bytes, int, int]:
        return self._background.wait(self._box.output(process, offset))

    def open(self, command: Command) -> LentTerminal:
        return LentTerminal(self._background, self._background.wait(self._box.open(command)))

    def open_context(self, spec: ContextSpec) -> LentContext:
        return LentContext(self._background, self._background.wait(self._box.open_context(spec)))

    def contexts(self) -> Tuple[LentContext, ...]:
        found = self._background.wait(self._box.contexts())
        return tuple(LentContext(self._background, each) for each in found)

    def default_context(self) -> LentContext:
        return LentContext(self._background, self._background.wait(self._box.default_context()))


class LentTerminal:
    """A terminal on the loop in the background: one thread may type while another reads."""

    def __init__(self, background: Background, terminal: Terminal) -> None:
        """Wait on *background* for *terminal*."""
        self._background, self._terminal = background, terminal

    def events(self) -> Iterator[Event]:
        return self._background.iterate(self._terminal.events())

    def type(self, data: bytes) -> None:
        self._background.wait(self._terminal.type(data))

    def resize(self, size: TerminalSize) -> None:
        self._background.wait(self._terminal.resize(size))

    def close(self) -> None:
        self._background.wait(self._terminal.close())
