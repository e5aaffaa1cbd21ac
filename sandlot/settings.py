"""What the operator chose: one dataclass, one loader, every value with its origin.

Precedence: flag > `SANDLOT_*` variable > project file > user file > default. This is the one place
that reads environment variables and configuration files. Unknown names and bad values are errors.

The project file is `sandlot.toml` in the working directory. It may come with code nobody has read, so
it may choose an environment and lower limits, but neither raise one above its default nor choose what
takes a wall down (engine, isolation, network) or moves a directory.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .contracts.errors import InvalidSpec
from .contracts.paths import identifier
from .contracts.quantity import Bytes, Cores, Seconds
from .contracts.spec import DEFAULT_LIMITS, DEFAULT_TIMEOUT, Isolation, Limits, Network

_PREFIX = "SANDLOT_"
PROJECT_FILE = "sandlot.toml"
_NOT_OURS = "SANDLOT_WORKSPACE"  # what every box tells its programs: sandlot may run in a sandbox too
_TERMINAL = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "TERM")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Settings:
    """The values in force. A limit of None means the default of `contracts.spec` where it can be enforced.

    `origins` names for each field where its value came from: `default`, `flag --memory`,
    `variable SANDLOT_MEMORY` or `file /etc/sandlot/config.toml`.
    """

    data_directory: Path
    """Environments and agent archives; boxes read from here, so it lies in no private home of root."""
    runtime_directory: Path
    """Sockets and locks of running processes."""
    engine: Optional[str] = None
    isolation: Optional[Isolation] = None
    environment: Optional[str] = None
    """None means `default` if such an environment exists, else `system`."""
    network: Network = Network.NONE
    timeout: Seconds = DEFAULT_TIMEOUT
    memory: Optional[Bytes] = None
    cpu: Optional[Cores] = None
    pids: Optional[int] = None
    disk: Optional[Bytes] = None
    inodes: Optional[int] = None
    output: Optional[Bytes] = None
    open_files: Optional[int] = None
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def limits(self) -> Limits:
        """The limits that were set, as one value."""
        return Limits(**{f.name: getattr(self, f.name) for f in fields(Limits)})

    @property
    def environments_directory(self) -> Path:
        """Where named environments live, one folder each."""
        return self.data_directory / "environments"

    def to_json(self) -> Dict[str, Dict[str, Any]]:
        """Every field with its value in JSON's types and its origin."""
        names = [f.name for f in fields(self) if f.name != "origins"]
        return {name: {"value": _plain(getattr(self, name)), "origin": self.origins[name]} for name in names}


class _Reader(NamedTuple):
    """How one setting is read, and whether a project file may set it."""

    parse: Callable[[Any], Any]
    project: bool


class _Source(NamedTuple):
    """A set of raw values and where each of them came from."""

    values: Mapping[str, Any]
    origin: Callable[[str], str]
    project: bool = False


def load(
    flags: Optional[Mapping[str, Any]] = None,
    environ: Optional[Mapping[str, str]] = None,
    files: Optional[Sequence[Path]] = None,
) -> Settings:
    """The settings in force.

    *flags* are field names with values as typed; None means the flag was not given. *environ* defaults
    to the process's. *files* are configuration files, strongest first; by default the project file of
    the working directory, then the user's; files that do not exist are passed over.
    Raises InvalidSpec for an unknown name, a bad value or an unreadable file.
    """
    environ = os.environ if environ is None else environ
    files = config_files(environ) if files is None else files
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    sources = [
        _Source(given, lambda name: "flag --" + name.replace("_", "-")),
        _Source(_variables(environ), lambda name: "variable " + _PREFIX + name.upper()),
    ]
    sources += [_file(path) for path in files if path.is_file()]
    values, origins = _merged(sources)
    places = directories(environ)
    values = {**{name: path for name, (path, _origin) in places.items()}, **values}
    found = {**{name: origin for name, (_path, origin) in places.items()}, **origins}
    return Settings(
        **values, origins={each.name: found.get(each.name, "default") for each in fields(Settings)}
    )


def config_files(environ: Mapping[str, str]) -> List[Path]:
    """Where configuration is looked for, strongest first: the project's file, then the user's."""
    if _is_root():
        return [Path(PROJECT_FILE), Path("/etc/sandlot/config.toml")]
    return [Path(PROJECT_FILE), _home(environ, "XDG_CONFIG_HOME", ".config")[0] / "config.toml"]


def directories(environ: Mapping[str, str]) -> Dict[str, Tuple[Path, str]]:
    """The two directories and what decided each; systemd's variables win (systemd.exec(5))."""
    found = _root_directories() if _is_root() else _user_directories(environ)
    for variable, name in (("STATE_DIRECTORY", "data_directory"), ("RUNTIME_DIRECTORY", "runtime_directory")):
        # systemd lists several directories with colons; the first is the service's main one.
        first = environ.get(variable, "").split(":")[0]
        if os.path.isabs(first):
            found[name] = (Path(first), "variable " + variable)
    return found


def installer_variables(environ: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """The variables that tell pip where packages come from and how to get there.

    They may hold credentials: hand them to the installer only, never to a log.
    """
    environ = os.environ if environ is None else environ
    wanted = {*_PROXIES, *(name.lower() for name in _PROXIES), *_CERTIFICATES, "HOME", "XDG_CONFIG_HOME"}
    return {name: value for name, value in environ.items() if name.startswith("PIP_") or name in wanted}


def terminal_variables(environ: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """The variables by which people say how a terminal should be written to (no-color.org)."""
    environ = os.environ if environ is None else environ
    return {name: environ[name] for name in _TERMINAL if name in environ}


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _root_directories() -> Dict[str, Tuple[Path, str]]:
    return {
        "data_directory": (Path("/var/lib/sandlot"), "default"),
        "runtime_directory": (Path("/run/sandlot"), "default"),
    }


def _user_directories(environ: Mapping[str, str]) -> Dict[str, Tuple[Path, str]]:
    state, origin = _home(environ, "XDG_STATE_HOME", ".local/state")
    runtime = (state / "run", origin)
    if os.path.isabs(environ.get("XDG_RUNTIME_DIR", "")):
        runtime = _home(environ, "XDG_RUNTIME_DIR", "")
    return {
        "data_directory": _home(environ, "XDG_DATA_HOME", ".local/share"),
        "runtime_directory": runtime,
    }


def _home(environ: Mapping[str, str], variable: str, below_home: str) -> Tuple[Path, str]:
    """Our folder in an XDG base directory; relative values are ignored, as that specification says."""
    base = environ.get(variable, "")
    if os.path.isabs(base):
        return Path(base) / "sandlot", "variable " + variable
    home = environ.get("HOME") or os.path.expanduser("~")
    return Path(home) / below_home / "sandlot", "default"


def _variables(environ: Mapping[str, str]) -> Dict[str, str]:
    return {
        name[len(_PREFIX) :].lower(): value
        for name, value in environ.items()
        if name.startswith(_PREFIX) and value != "" and name != _NOT_OURS
    }


def _file(path: Path) -> _Source:
    origin = f"file {path}"
    return _Source(_toml(path), lambda _name: origin, project=path.name == PROJECT_FILE)


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        import tomllib
    except ImportError:
        raise InvalidSpec(f"{path} needs Python 3.11 to be read: use {_PREFIX}* variables instead") from None
    try:
        return tomllib.loads(path.read_bytes().decode())
    except (OSError, ValueError) as cause:
        raise InvalidSpec(f"{path} cannot be read as configuration: {cause}") from cause


def _merged(sources: Sequence[_Source]) -> Tuple[Dict[str, Any], Dict[str, str]]:
    """The value of each setting from the first source that has it; all of them are checked."""
    values: Dict[str, Any] = {}
    origins: Dict[str, str] = {}
    for source in sources:
        for name, raw in source.values.items():
            value = _read(name, raw, source)
            if name not in values:
                values[name] = value
                origins[name] = source.origin(name)
    return values, origins


def _read(name: str, raw: Any, source: _Source) -> Any:
    reader = _READERS.get(name)
    if reader is None:
        raise InvalidSpec(
            f"{source.origin(name)}: unknown setting {name!r}: use one of {', '.join(_READERS)}"
        )
    if source.project and not reader.project:
        raise InvalidSpec(
            f"{source.origin(name)}: a project file may not set {name!r}, it could come with code nobody has "
            f"read: use --{name.replace('_', '-')}, {_PREFIX}{name.upper()} or the user's file"
        )
    try:
        value = reader.parse(raw)
    except InvalidSpec as cause:
        raise InvalidSpec(f"{source.origin(name)}: {cause.message}") from cause
    most = DEFAULT_TIMEOUT if name == "timeout" else getattr(DEFAULT_LIMITS, name, None)
    if source.project and most is not None and value > most:
        raise InvalidSpec(
            f"{source.origin(name)}: a project file may lower {name!r}, not raise it above {most}: "
            f"use {_PREFIX}{name.upper()} or the user's file"
        )
    return value


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise InvalidSpec(f"{raw!r} is not text")
    return raw


def _count(raw: Any) -> int:
    digits = str(raw).strip()
    if not re.fullmatch("[0-9]{1,8}", digits) or not 1 <= int(digits) <= 10_000_000:
        raise InvalidSpec(f"{raw!r} is not a count: use 1 to 10000000")
    return int(digits)


def _absolute(raw: Any) -> Path:
    path = Path(_text(str(raw)))
    if not path.is_absolute():
        raise InvalidSpec(f"{str(raw)!r} is not an absolute path")
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, Isolation):
        return value.name.lower()
    if isinstance(value, Network):
        return value.value
    return str(value) if isinstance(value, Path) else value


_READERS: Dict[str, _Reader] = {
    "engine": _Reader(lambda raw: identifier(raw, "engine"), project=False),
    "isolation": _Reader(lambda raw: Isolation.parse(_text(raw)), project=False),
    "network": _Reader(lambda raw: Network.parse(_text(raw)), project=False),
    "environment": _Reader(lambda raw: identifier(raw, "environment"), project=True),
    "timeout": _Reader(Seconds.parse, project=True),
    "memory": _Reader(Bytes.parse, project=True),
    "cpu": _Reader(Cores.parse, project=True),
    "pids": _Reader(_count, project=True),
    "disk": _Reader(Bytes.parse, project=True),
    "inodes": _Reader(_count, project=True),
    "output": _Reader(Bytes.parse, project=True),
    "open_files": _Reader(_count, project=True),
    "data_directory": _Reader(_absolute, project=False),
    "runtime_directory": _Reader(_absolute, project=False),
}
