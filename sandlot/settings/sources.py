"""The loader: values of all sources, checked, the strongest one chosen."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.spec import DEFAULT_LIMITS, DEFAULT_TIMEOUT

from . import files as toml
from .places import PROJECT_FILE, config_files, directories
from .predecessors import Predecessor, told
from .readers import READERS, secret
from .values import SECRETS, Settings

_PREFIX = "SANDLOT_"
CONFIG = "SANDLOT_CONFIG"
"""The variable that names a configuration file, which is then the only one that is read."""
# What every box tells its programs, for sandlot may run in a sandbox too, and the variable above.
_NO_SETTINGS = ("SANDLOT_WORKSPACE", CONFIG)
# Kubernetes tells every pod of a Service that is called sandlot by variables of these names.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_LINK = re.compile(r"SANDLOT_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
_LARGEST_KEY_FILE = 4096


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
    to the process's. *files* are configuration files, strongest first; by default the one that SANDLOT_CONFIG
    names, else the project file of the working directory, then the user's. Of those two, files that do not
    exist are passed over, and so are those in a directory that may not be searched: whether they exist is
    nobody's to know. Raises InvalidSpec for an unknown name, a bad value or an unreadable file.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    sources = [_Source(given, lambda name: "flag --" + _flag(name)), _variables(environ)]
    sources += [_predecessor(each, environ) for each in told(environ)]
    sources += _files(environ) if files is None else [_file(path) for path in files if _is_there(path)]
    values, origins = _merged(sources)
    places = directories(environ)
    values = {**{name: path for name, (path, _origin) in places.items()}, **values}
    found = {**{name: origin for name, (_path, origin) in places.items()}, **origins}
    return Settings(
        **values, origins={each.name: found.get(each.name, "default") for each in fields(Settings)}
    )


def use_file(path: str) -> None:
    """Make *path* the only configuration file of this process and of those it starts, as SANDLOT_CONFIG does.

    Settings are loaded in several rooms, which must not differ about where data lies.
    """
    os.environ[CONFIG] = os.path.abspath(path)


def _flag(name: str) -> str:
    reader = READERS.get(name)
    return (reader.flag if reader else "") or name.replace("_", "-")


def _variables(environ: Mapping[str, str]) -> _Source:
    ours = {
        name[len(_PREFIX) :].lower(): value
        for name, value in environ.items()
        if name.startswith(_PREFIX) and value != "" and name not in _NO_SETTINGS and not _is_link(name, value)
    }
    return _Source(ours, lambda name: "variable " + _PREFIX + name.upper())


def _is_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name)) or (name == "SANDLOT_PORT" and "://" in value)


def _predecessor(each: Predecessor, environ: Mapping[str, str]) -> _Source:
    origin = "variable " + each.variable
    try:
        text = each.translate(environ[each.variable])
    except InvalidSpec as cause:
        raise InvalidSpec(f"{origin}: {cause.message}") from cause
    return _Source({each.name: text}, lambda _name: origin)


def _files(environ: Mapping[str, str]) -> List[_Source]:
    """The file that was named, which must be there and is no project's; else those that are there."""
    named = environ.get(CONFIG)
    if not named:
        return [_file(path) for path in config_files(environ) if _is_there(path)]
    return [_file(Path(named), is_named=True)]


def _is_there(path: Path) -> bool:
    """A program that was started with the HOME of another user must still run."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def _file(path: Path, *, is_named: bool = False) -> _Source:
    values, text = toml.read(path)

    def origin(name: str) -> str:
        line = toml.line_of(name, text)
        return f"file {path}" if line is None else f"file {path}:{line}"

    return _Source(values, origin, project=path.name == PROJECT_FILE and not is_named)


def _merged(sources: Sequence[_Source]) -> Tuple[Dict[str, Any], Dict[str, str]]:
    """The value of each setting from the first source that has it; all of them are checked."""
    values: Dict[str, Any] = {}
    origins: Dict[str, str] = {}
    for source in sources:
        read = {name: _read(name, raw, source) for name, raw in source.values.items()}
        file = read.pop("key_file", None)
        if file is not None and "key" not in {**values, **read}:
            values["key"], origins["key"] = _key_in(file), f"file {file}"
        for name in [name for name in read if name not in values]:
            values[name], origins[name] = read[name], source.origin(name)
    return values, origins


def _key_in(path: Path) -> str:
    """The key that a file holds alone, such as systemd's or Docker's secrets do."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_KEY_FILE)
        return secret(raw.decode("ascii"))
    except (OSError, UnicodeDecodeError) as cause:
        raise InvalidSpec(f"the key file {path} cannot be read: {type(cause).__name__}") from cause
    except InvalidSpec as cause:
        raise InvalidSpec(f"key file {path}: {cause.message}") from cause


def _read(name: str, raw: Any, source: _Source) -> Any:
    reader = READERS.get(name)
    if reader is None:
        raise InvalidSpec(f"{source.origin(name)}: unknown setting {name!r}: {_nearest(name)}")
    if source.project and not reader.project:
        raise InvalidSpec(_not_in_a_project(name, source))
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


def _nearest(name: str) -> str:
    """What to write instead of *name*, which is no setting."""
    import difflib

    found = difflib.get_close_matches(name, READERS, n=1)
    advice = f"did you mean {found[0]!r}" if found else f"use one of {', '.join(READERS)}"
    return f"{advice}? `sandlot config` lists them all" if found else advice


def _not_in_a_project(name: str, source: _Source) -> str:
    # A key on a command line is shown to everybody by ps, so there is no flag for it.
    ways = [_PREFIX + name.upper(), "the user's file"] + ([] if name in SECRETS else ["--" + _flag(name)])
    return (
        f"{source.origin(name)}: a project file may not set {name!r}, it could come with code nobody has "
        f"read: use {', '.join(ways[:-1])} or {ways[-1]}"
    )
