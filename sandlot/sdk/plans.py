"""What was asked of a sandbox, as values: shared by both faces, which only act on it."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, AsyncIterable, Iterable, Mapping, Optional, Sequence, Union

from sandlot import settings
from sandlot.client.pieces import Pieces
from sandlot.contracts.capability import Feature
from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.errors import NotFound, Unsupported
from sandlot.contracts.handler import Handler
from sandlot.contracts.paths import WORKSPACE, identifier, sandbox_path
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.settings import Settings

Input = Union[bytes, str, Iterable[bytes], AsyncIterable[bytes], None]
"""Standard input as people give it: whole, or piece by piece."""
Amount = Union[str, float, None]
"""A quantity as people give it: "30s", "512Mi" or a number; None for what holds otherwise."""

_LOCAL_NEEDS = (3, 11)


@dataclass(frozen=True)
class Plan:
    """A sandbox to open: its id, what it is asked to be, and whether closing its face deletes it."""

    id: str
    settings: Settings
    spec: SandboxSpec
    is_local: bool
    is_ours: bool


@dataclass(frozen=True)
class Program:
    """What is to run, as `run` and its like are told it."""

    code: Optional[str] = None
    argv: Optional[Sequence[str]] = None
    stdin: Input = None
    env: Optional[Mapping[str, str]] = None
    workdir: Union[str, PurePosixPath, None] = None
    handler: Optional[Handler] = None

    @property
    def needs(self) -> Feature:
        """What a box must be able to do for it."""
        return Feature.NOTHING if self.handler is None else Feature.HANDLERS


def local_plan(env: Optional[Mapping[str, str]], ttl: Amount, flags: Mapping[str, Any]) -> Plan:
    """A sandbox of this process. Raises InvalidSpec, and Unsupported below Python 3.11."""
    if sys.version_info < _LOCAL_NEEDS:
        wanted, here = ("{}.{}".format(*version[:2]) for version in (_LOCAL_NEEDS, sys.version_info))
        raise Unsupported(
            f"local sandboxes need Python {wanted} or later and this is Python {here}: "
            "use a newer interpreter, or connect to a server"
        )
    chosen = settings.load(flags=flags)
    from sandlot.local.asked import spec_of

    spec = replace(spec_of(chosen, env), ttl=_seconds(ttl))
    # Closing its service, which is ours alone, ends it.
    return Plan(_name("local"), chosen, spec, is_local=True, is_ours=False)


def remote_plan(
    name: Optional[str],
    env: Optional[Mapping[str, str]],
    ttl: Amount,
    flags: Mapping[str, Any],
    image: Optional[str] = None,
) -> Plan:
    """A sandbox of a server, which fills in what nobody chose. Raises InvalidSpec."""
    chosen = settings.load(flags=flags)
    # An image outranks an environment of the settings; both given at once contradict each other.
    is_open = image is None or flags.get("environment") is not None
    spec = SandboxSpec(
        environment=chosen.environment if is_open else None,
        image=image,
        isolation=chosen.isolation,
        engine=chosen.engine,
        limits=chosen.limits,
        network=chosen.network if _is_chosen(chosen, "network") else None,
        env=dict(env or {}),
        ttl=_seconds(ttl),
    )
    is_ours = name is None
    name = _name("sandbox") if name is None else identifier(name, "sandbox")
    return Plan(name, chosen, spec, is_local=False, is_ours=is_ours)


def command_for(program: Program, timeout: Amount, usual: Optional[Seconds]) -> Command:
    """The command that *program* means, with the *usual* timeout unless one is given. Raises InvalidSpec."""
    return Command(
        argv=tuple(program.argv or ()),
        code=program.code,
        stdin=_stdin(program.stdin),
        env=dict(program.env or {}),
        timeout=usual if timeout is None else Seconds.parse(timeout),
        workdir=WORKSPACE if program.workdir is None else sandbox_path(program.workdir),
        handler=program.handler,
    )


def shell_line(line: str) -> Sequence[str]:
    """The program that reads *line* as a shell does."""
    return ("/bin/sh", "-c", line)


def terminal_for(argv: Sequence[str], workdir: str, rows: int, columns: int) -> Command:
    """The command of a terminal; it has no timeout but the sandbox's lease. Raises InvalidSpec."""
    size = TerminalSize(rows, columns)
    return Command(argv=tuple(argv), workdir=sandbox_path(workdir), timeout=None, tty=size)


def not_open(name: str) -> NotFound:
    """The error of a face that was closed, or not awaited yet."""
    return NotFound(f"sandbox {name} is not open here: it was closed, or never awaited; make another one")


def host_folder(target: Union[str, Path]) -> Path:
    """The directory *target* of the host, made where it is missing."""
    into = Path(target)
    into.mkdir(parents=True, exist_ok=True)
    return into


def as_bytes(content: Union[bytes, str]) -> bytes:
    """*content*, which as text is UTF-8."""
    return content.encode() if isinstance(content, str) else content


def _stdin(given: Input) -> Union[bytes, AsyncIterable[bytes], None]:
    if given is None or isinstance(given, bytes):
        return given
    if isinstance(given, str):
        return given.encode()
    return given if isinstance(given, AsyncIterable) else Pieces(given)


def _is_chosen(chosen: Settings, name: str) -> bool:
    return chosen.origins.get(name, "default") != "default"


def _seconds(amount: Amount) -> Optional[Seconds]:
    return None if amount is None else Seconds.parse(amount)


def _name(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(8)}"
