"""Sandbox: the object people hold in ordinary code; the twin of `async_sandbox`."""

from __future__ import annotations

from contextlib import closing, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Generator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from sandlot.client.address import chosen_server
from sandlot.client.facts import usable
from sandlot.client.service import Client
from sandlot.client.terminal import RemoteTerminal
from sandlot.contracts.capability import Feature, require
from sandlot.contracts.errors import NotFound
from sandlot.contracts.paths import WORKSPACE, sandbox_path
from sandlot.contracts.service import SandboxStatus
from sandlot.trees import pack
from sandlot.trees.unpack import unpack_now

from . import plans
from .interpreters import Interpreters
from .lent import LentService, LentTerminal
from .programs import AnyBox, Programs

AnyTerminal = Union[RemoteTerminal, LentTerminal]

if TYPE_CHECKING:
    from typing import Self


class Sandbox(Programs, Interpreters):
    """A sandbox held from ordinary code: a workspace at /workspace, here or on a server.

    Use it as a context manager. Relative paths start at the workspace. Every method raises SandlotError
    kinds; none is for two threads at once.
    """

    def __init__(self, plan: plans.Plan) -> None:
        """Open what *plan* says; prefer `local` and `connect`."""
        self.id = plan.id
        self._plan = plan
        self._service: Union[Client, LentService, None] = self._opened()
        try:
            self._reach = self._claimed(self._service)
        except BaseException:
            self._service.close()
            raise

    @classmethod
    def local(
        cls, *, env: Optional[Mapping[str, str]] = None, ttl: plans.Amount = None, **asked: Any
    ) -> Sandbox:
        """A sandbox in this process, on Python 3.11 or later; it ends with this object.

        *env* holds for every program in it. *asked* are settings by name: engine, isolation, environment,
        network, timeout, memory, cpu, pids, disk, inodes, output, open_files, as text ("512Mi", "30s") or
        numbers. What is not said comes from SANDLOT_ variables, configuration files and defaults.
        """
        return cls(plans.local_plan(env, ttl, asked))

    @classmethod
    def connect(
        cls,
        url: Optional[str] = None,
        *,
        id: Optional[str] = None,  # noqa: A002 - what the wire calls it
        key: Optional[str] = None,
        env: Optional[Mapping[str, str]] = None,
        ttl: plans.Amount = None,
        image: Optional[str] = None,
        **asked: Any,
    ) -> Sandbox:
        """A sandbox of the server at *url*, by default the one of the settings (SANDLOT_URL, SANDLOT_KEY).

        The sandbox called *id* is claimed, or made if there is none, and stays when this object is closed.
        Without *id* a new one is made that ends with this object. *ttl* is its lease from the last time it
        was claimed; *env* and *asked* are as for `local`, and the server fills in what is not said.
        *image* is a container image's name, such as "python:3.11", instead of an environment; the server
        knows which one it means.
        """
        return cls(plans.remote_plan(id, env, ttl, {"url": url, "key": key, **asked}, image))

    def put(self, source: Union[str, Path], target: str = ".") -> List[str]:
        """Copy a file or directory of the host into the directory *target*, under its own name.

        Links and special files are left out; the lines returned say which.
        """
        left_out: List[Tuple[str, str]] = []
        path = Path(source).absolute()
        box = self._reach()
        tar = pack.pieces(path, path.name, lambda name, what: left_out.append((name, what)))
        box.put(sandbox_path(target), tar)
        return pack.leaving_out(left_out)

    def get(self, source: str, target: Union[str, Path]) -> int:
        """Copy the directory *source* of the sandbox into the host's directory *target*: how many entries."""
        into = plans.host_folder(target)
        with closing(self._reach().get(sandbox_path(source))) as tar:
            return unpack_now(tar, into)

    def write(self, path: str, content: Union[bytes, str]) -> None:
        """Make *content* the file *path* of the workspace."""
        tar = pack.packed({path: plans.as_bytes(content)}, WORKSPACE)
        self._reach().put(WORKSPACE, [tar])

    def read(self, path: str, *, offset: int = 0, length: Optional[int] = None) -> bytes:
        """The content of the regular file *path*, or *length* bytes of it from *offset*."""
        box = self._with(Feature.FILES)
        with closing(box.read(sandbox_path(path), offset, length)) as pieces:
            return b"".join(pieces)

    def list(self, path: str = ".") -> List[Mapping[str, Any]]:
        """The entries of a directory: name, path, kind, size, mode and mtime of each."""
        box = self._with(Feature.FILES)
        return list(box.list(sandbox_path(path)))

    def stat(self, path: str) -> Mapping[str, Any]:
        """Kind, size, mode and mtime of *path* itself; links are not followed."""
        return self._with(Feature.FILES).stat(sandbox_path(path))

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, or a directory when empty or *recursive*."""
        self._with(Feature.FILES).remove(sandbox_path(path), recursive=recursive)

    def mkdir(self, path: str, *, parents: bool = False) -> None:
        """Make a directory."""
        self._with(Feature.FILES).mkdir(sandbox_path(path), parents=parents)

    def move(self, path: str, to: str) -> None:
        """Rename within the sandbox."""
        self._with(Feature.FILES).move(sandbox_path(path), sandbox_path(to))

    def watch(self, path: str = ".", *, recursive: bool = False) -> Generator[Mapping[str, Any], None, None]:
        """Changes beneath *path* as they happen, until the loop is left: path and kind of each."""
        box = self._with(Feature.FILE_WATCH)
        with closing(box.watch(sandbox_path(path), recursive=recursive)) as changes:
            yield from changes

    def start(
        self,
        code: Optional[str] = None,
        *,
        argv: Optional[Sequence[str]] = None,
        stdin: Union[bytes, str, None] = None,
        env: Optional[Mapping[str, str]] = None,
        workdir: Union[str, PurePosixPath, None] = None,
        timeout: plans.Amount = None,
    ) -> str:
        """Start a program in the background; its name. Without *stdin* its input stays open for `feed`.

        It ends with the sandbox unless *timeout* comes first.
        """
        command = plans.command_for(plans.Program(code, argv, stdin, env, workdir), timeout, None)
        return self._with(Feature.PROCESSES).start(command)

    def processes(self) -> Tuple[Mapping[str, Any], ...]:
        """Every background process and running command: id, argv, running, exit_code, signal."""
        return self._with(Feature.PROCESSES).processes()

    def signal(self, process: str, number: int) -> None:
        """Send signal *number* to the process's group."""
        self._with(Feature.PROCESSES).signal(process, number)

    def feed(self, process: str, data: Union[bytes, str], *, end: bool = False) -> None:
        """Write to the process's standard input; *end* closes it."""
        self._with(Feature.PROCESSES).feed(process, plans.as_bytes(data), end=end)

    def wait(self, process: str, timeout: Optional[float] = None) -> Mapping[str, Any]:
        """The process's row once it has ended. Raises TimedOut after *timeout* seconds."""
        return self._with(Feature.PROCESSES).wait(process, timeout)

    def output(self, process: str, offset: int = 0) -> Tuple[bytes, int, int]:
        """Kept output from *offset*: the bytes, the next offset, how many earlier bytes were dropped."""
        return self._with(Feature.PROCESSES).output(process, offset)

    def terminal(
        self, argv: Sequence[str] = ("/bin/sh",), *, workdir: str = ".", rows: int = 24, columns: int = 80
    ) -> AnyTerminal:
        """A program on a terminal: type to it, read its events, resize it; close it when done."""
        command = plans.terminal_for(argv, workdir, rows, columns)
        return self._with(Feature.TERMINALS).open(command)

    def touch(self) -> SandboxStatus:
        """Renew the lease."""
        return self._live.touch(self.id)

    def status(self) -> SandboxStatus:
        """What is known of the sandbox: its state, lease, engine, isolation and what is enforced."""
        return self._live.status(self.id)

    def delete(self) -> None:
        """End the sandbox now, also one that `close` would leave."""
        self._live.delete(self.id)

    def close(self) -> None:
        """Let go: a sandbox that was made here without an id of its own ends; others stay. Idempotent."""
        service, self._service, self._reach = self._service, None, self._closed
        if service is None:
            return
        try:
            if self._plan.is_ours:
                with suppress(NotFound):
                    service.delete(self.id)
        finally:
            service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_why: object) -> None:
        self.close()

    def _opened(self) -> Union[Client, LentService]:
        if self._plan.is_local:
            return LentService()
        there = chosen_server(self._plan.settings)
        return Client(there.url, key=there.key)

    def _claimed(self, service: Union[Client, LentService]) -> Callable[[], AnyBox]:
        """The way to the sandbox's box, once the sandbox is there."""
        status = service.ensure(self.id, self._plan.spec)
        if isinstance(service, LentService):
            return partial(service.reach, self.id)
        box = service.box(usable(status))
        return lambda: box

    def _with(self, feature: Feature) -> AnyBox:
        box = self._reach()
        require(feature, box.features, engine=box.engine)
        return box

    @property
    def _live(self) -> Union[Client, LentService]:
        if self._service is None:
            raise plans.not_open(self.id)
        return self._service

    def _closed(self) -> AnyBox:
        raise plans.not_open(self.id)
