"""What was asked to be installed: package words and requirement files, checked and carried into the box."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from sandlot.contracts.errors import InvalidSpec

_INCLUDE = re.compile(r"^\s*(-r|--requirement|-c|--constraint)(?:\s+|=|(?<=-[rc]))(\S+)\s*$")
_LOCAL = re.compile(r"^\s*(-e\b|--editable\b|\.{1,2}(/|\s|$)|/|file:)")
_MOST_FILES = 100


def checked(packages: Sequence[str]) -> tuple[str, ...]:
    """*packages* themselves, when pip will read each as a package.

    Raises InvalidSpec for an option or a local path: the box sees neither the caller's directory nor
    what else an option could name.
    """
    for package in packages:
        if not package.strip() or package.startswith("-"):
            raise InvalidSpec(f"{package!r} is not a package: give names such as numpy or 'numpy>=2'")
        if _LOCAL.match(package):
            raise InvalidSpec(
                f"{package!r} is a local path, which the build cannot see: give a name or an address"
            )
    return tuple(packages)


def gathered(requirements: Path | None) -> dict[str, bytes]:
    """The requirement file and what it includes, by the names they get in the box.

    The first is `requirements-0.txt`; `-r` and `-c` lines are rewritten to the new names. Raises
    InvalidSpec for a file that cannot be read and for lines naming local projects.
    """
    if requirements is None:
        return {}
    names: dict[str, str] = {}
    content: dict[str, bytes] = {}
    waiting = [os.path.abspath(requirements)]
    while waiting:
        path = waiting.pop()
        lines = [_line(line, path, names, waiting) for line in _read(path).splitlines()]
        content[_name(path, names, [])] = ("\n".join(lines) + "\n").encode()
    return content


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise InvalidSpec(f"the requirement file {path} cannot be read: {cause}") from cause


def _line(line: str, path: str, names: dict[str, str], waiting: list[str]) -> str:
    _name(path, names, [])
    include = _INCLUDE.match(line)
    if include:
        option, target = include.groups()
        if "://" in target:
            return line
        return f"{option} {_name(os.path.join(os.path.dirname(path), target), names, waiting)}"
    if _LOCAL.match(line):
        raise InvalidSpec(f"{path} names a local project ({line.strip()}): the build cannot see it")
    return line


def _name(path: str, names: dict[str, str], waiting: list[str]) -> str:
    path = os.path.abspath(path)
    if path not in names:
        if len(names) == _MOST_FILES:
            raise InvalidSpec(f"more than {_MOST_FILES} requirement files include each other")
        names[path] = f"requirements-{len(names)}.txt"
        waiting.append(path)
    return names[path]
