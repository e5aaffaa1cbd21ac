"""Names that cross the wall: paths inside a sandbox, ids, environment variables.

A name is accepted or refused, never repaired: two names must not become one.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Mapping, Union

from .errors import InvalidSpec, PathEscape

WORKSPACE = PurePosixPath("/workspace")
_LONGEST_PATH = 4096
_LONGEST_NAME = 255
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,254}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_LONGEST_VALUE = 131_072  # MAX_ARG_STRLEN, execve(2)


def sandbox_path(value: Union[str, PurePosixPath], *, base: PurePosixPath = WORKSPACE) -> PurePosixPath:
    """The absolute path *value* means inside a sandbox; relative ones start at *base*.

    Raises PathEscape for `..`, and InvalidSpec for NUL, undecodable or overlong names.
    """
    text = str(value)
    if not text or "\0" in text:
        raise InvalidSpec(f"{text!r} is not a path: it is empty or holds a NUL")
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidSpec(f"{text!r} is not a path: it is not valid Unicode") from None
    if length > _LONGEST_PATH:
        raise InvalidSpec(f"a path of {length} bytes is too long: at most {_LONGEST_PATH}")
    path = base / PurePosixPath(text)
    if ".." in path.parts:
        raise PathEscape(f"{text!r} climbs with '..': give the path without it")
    if any(len(part.encode()) > _LONGEST_NAME for part in path.parts):
        raise InvalidSpec(f"a name in {text!r} is longer than {_LONGEST_NAME} bytes")
    # POSIX lets `//x` mean something else; inside a box it means `/x`.
    return PurePosixPath("/" + str(path).lstrip("/"))


def identifier(value: str, what: str = "id") -> str:
    """*value* itself when it is a valid id: letters, digits, `.`, `_`, `-`, at most 128, no leading mark.

    Raises InvalidSpec otherwise.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        shown = repr(value[:40]) if isinstance(value, str) else type(value).__name__
        raise InvalidSpec(
            f"{shown} is not a valid {what}: "
            "use 1 to 128 of A-Z a-z 0-9 . _ -, beginning with a letter or digit"
        )
    return value


def image_name(value: str) -> str:
    """*value* itself when it can be the name of a container image, such as `python:3.11`.

    Raises InvalidSpec otherwise.
    """
    if not isinstance(value, str) or not _IMAGE.fullmatch(value):
        shown = repr(value[:40]) if isinstance(value, str) else type(value).__name__
        raise InvalidSpec(f"{shown} is not the name of a container image: use one such as python:3.11")
    return value


def variables(values: Mapping[str, str]) -> Mapping[str, str]:
    """*values* themselves when every name and value can be an environment variable.

    Raises InvalidSpec otherwise. Values are never shown in the error: they may be secrets.
    """
    for name, value in values.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise InvalidSpec(f"{name!r} is not an environment variable's name")
        if not isinstance(value, str) or "\0" in value or len(value) > _LONGEST_VALUE:
            raise InvalidSpec(
                f"the value of {name} is not text of at most {_LONGEST_VALUE} characters without NUL"
            )
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidSpec(f"the value of {name} is not valid Unicode") from None
    return values
