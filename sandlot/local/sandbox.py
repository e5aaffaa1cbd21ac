"""The short way in, without async: `run(...)` for one program, `Sandbox.local(...)` for many."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Self, cast

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box, Files
from sandlot.contracts.errors import NotFound
from sandlot.contracts.events import Event
from sandlot.contracts.paths import WORKSPACE, sandbox_path
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.result import Result
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import SandboxSpec
from sandlot.settings import Settings

from . import pack
from .asked import settings_for, spec_of
from .iteration import Background, ended
from .service import LocalService, told
from .start import start
from .unpack import unpack


def run(
    code: str | None = None,
    *,
    argv: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
    stdin: bytes | str | None = None,
    **asked: Any,
) -> Result:
    """Run Python *code*, or the program *argv*, in a sandbox of its own and give its Result.

    *files* are written into the workspace first (name -> content). *asked* are settings by name: engine,
    isolation, environment, network, timeout, memory, cpu, pids, disk, inodes, output, open_files, as text
    ("512Mi", "30s") or numbers. What is not said comes from SANDLOT_ variables, configuration files and
    defaults. A program that fails is a Result; SandlotError is raised when it could not be run as asked.
    """
    chosen = settings_for(**asked)
    command = _command(chosen, code=code, argv=tuple(argv or ()), stdin=stdin)
    request = RunRequest(command, spec_of(chosen, env), files or {})
    background = Background()
    try:
        return background.wait(_once(request))
    finally:
        background.close()


class Sandbox:
    """A sandbox held from ordinary code: a workspace at /workspace that lasts until `close`.

    Use it as a context manager. Every method raises SandlotError kinds; none is for two threads at once.
    """

    def __init__(self, chosen: Settings, spec: SandboxSpec) -> None:
        """Start a sandbox of *spec*; prefer `Sandbox.local`."""
        self.id = f"local-{secrets.token_hex(6)}"
        self._settings = chosen
        self._background = Background()
        self._service: LocalService | None = None
        try:
            self._service = start()
            self.status = self._background.wait(self._service.ensure(self.id, spec))
        except BaseException:
            self.close()
            raise

    @classmethod
    def local(cls, *, env: Mapping[str, str] | None = None, **asked: Any) -> Sandbox:
        """A sandbox on this machine. *asked* as for `run`; *env* holds for every program in it."""
        chosen = settings_for(**asked)
        return cls(chosen, spec_of(chosen, env))

    def run(self, code: str | None = None, *, argv: Sequence[str] | None = None, **rest: Any) -> Result:
        """Run Python *code*, or the program *argv*. *rest*: stdin, env, workdir, timeout."""
        command = _command(self._settings, code=code, argv=tuple(argv or ()), **rest)
        return self._background.wait(_result(self._live, self.id, command))

    def shell(self, line: str, **rest: Any) -> Result:
        """Give *line* to the sandbox's `sh -c`. *rest*: stdin, env, workdir, timeout."""
        return self.run(argv=("/bin/sh", "-c", line), **rest)

    def events(self, command: Command) -> Iterator[Event]:
        """What *command* does, as it happens; leaving the loop early kills it."""
        return self._background.iterate(self._live.execute(self.id, command))

    def put(self, source: str | Path, target: str = ".") -> list[str]:
        """Copy a file or directory of the host into the directory *target*, under its own name.

        Links and special files are left out; the lines returned say which.
        """
        left_out: list[tuple[str, str]] = []
        path = Path(source).absolute()
        tar = pack.stream(path, path.name, lambda name, what: left_out.append((name, what)))
        self._background.wait(self._live.put(self.id, tar, sandbox_path(target)))
        return pack.leaving_out(left_out)

    def get(self, source: str, target: str | Path) -> int:
        """Copy the directory *source* of the sandbox into the host's directory *target*: how many entries."""
        into = Path(target)
        into.mkdir(parents=True, exist_ok=True)
        return self._background.wait(_fetch(self._live, self.id, sandbox_path(source), into))

    def write(self, path: str, content: bytes | str) -> None:
        """Make *content* the file *path* of the workspace."""
        data = content.encode() if isinstance(content, str) else content
        tar = pack.once(pack.packed({path: data}, WORKSPACE))
        self._background.wait(self._live.put(self.id, tar))

    def read(self, path: str) -> bytes:
        """The content of the regular file *path*."""
        return self._background.wait(_content(self._live.live(self.id), sandbox_path(path)))

    def close(self) -> None:
        """End the sandbox; nothing of it is left. Idempotent."""
        service, self._service = self._service, None
        try:
            if service is not None:
                self._background.wait(service.close())
        finally:
            self._background.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_why: object) -> None:
        self.close()

    @property
    def _live(self) -> LocalService:
        if self._service is None:
            raise NotFound(f"sandbox {self.id} is closed: make another one")
        return self._service


async def _once(request: RunRequest) -> Result:
    service = start()
    try:
        return await service.run(request)
    finally:
        await service.close()


async def _result(service: LocalService, sandbox: str, command: Command) -> Result:
    events = [event async for event in service.execute(sandbox, command)]
    return told(service.live(sandbox), events)


async def _content(box: Box, path: PurePosixPath) -> bytes:
    require(Feature.FILES, box.features, engine=box.engine)
    async with ended(cast("Files", box).read(path)) as pieces:
        return b"".join([piece async for piece in pieces])


async def _fetch(service: LocalService, sandbox: str, source: PurePosixPath, into: Path) -> int:
    return await unpack(service.get(sandbox, source), into)


def _command(
    chosen: Settings,
    *,
    code: str | None = None,
    argv: tuple[str, ...] = (),
    stdin: bytes | str | None = None,
    timeout: str | float | None = None,
    **rest: Any,
) -> Command:
    if "workdir" in rest:
        rest["workdir"] = sandbox_path(rest["workdir"])
    return Command(
        argv=argv,
        code=code,
        stdin=stdin.encode() if isinstance(stdin, str) else stdin,
        timeout=chosen.timeout if timeout is None else Seconds.parse(timeout),
        **rest,
    )
