"""An environment as a value, and as the JSON kept beside its tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import identifier

SYSTEM = "system"
"""The name of the built-in environment: the distribution's own Python."""

MOUNTED_AT = "/env"
"""Where a named environment stands inside a box."""

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Bind:
    """A directory of the host shown read-only inside a box."""

    host: Path
    box: str


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python installation for boxes.

    `interpreter` is its path inside the box; `host_interpreter` the interpreter it was made from, which
    the operator chose and which alone of it may run on the host. `tag` is that interpreter's cache tag
    and magic number, which decide what bytecode it reads.
    """

    name: str
    interpreter: str
    host_interpreter: Path
    version: str
    tag: str
    binds: tuple[Bind, ...] = ()
    preload: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `sandlot env list --json` shows and `environment.json` keeps."""
        return {
            "format": _FORMAT,
            "name": self.name,
            "interpreter": self.interpreter,
            "hostInterpreter": str(self.host_interpreter),
            "version": self.version,
            "tag": self.tag,
            "binds": [{"host": str(bind.host), "box": bind.box} for bind in self.binds],
            "preload": list(self.preload),
            "packages": list(self.packages),
        }

    @classmethod
    def from_json(cls, value: Any) -> Environment:
        """The environment *value* describes. Raises InvalidSpec naming the field that is wrong."""
        if not isinstance(value, dict) or value.get("format") != _FORMAT:
            raise InvalidSpec(f"not a description of an environment in format {_FORMAT}")
        return cls(
            name=identifier(_text(value, "name"), "environment"),
            interpreter=_absolute(_text(value, "interpreter"), "interpreter"),
            host_interpreter=Path(_absolute(_text(value, "hostInterpreter"), "hostInterpreter")),
            version=_text(value, "version"),
            tag=_text(value, "tag"),
            binds=tuple(_bind(item) for item in _items(value, "binds")),
            preload=tuple(module(item) for item in _items(value, "preload")),
            packages=tuple(str(item) for item in _items(value, "packages")),
        )


def module(name: Any) -> str:
    """*name* itself when it can be imported by name. Raises InvalidSpec otherwise."""
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        raise InvalidSpec(f"{name!r} is not the name of a Python module")
    return name


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    if not isinstance(found, str) or not found:
        raise InvalidSpec(f"{key} is missing or not text")
    return found


def _items(value: dict[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    if not isinstance(found, list):
        raise InvalidSpec(f"{key} is missing or not a list")
    return found


def _absolute(path: str, key: str) -> str:
    if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise InvalidSpec(f"{key} {path!r} is not an absolute path without '..'")
    return path


def _bind(value: Any) -> Bind:
    if not isinstance(value, dict):
        raise InvalidSpec("a bind is not an object")
    return Bind(Path(_absolute(_text(value, "host"), "host")), _absolute(_text(value, "box"), "box"))
