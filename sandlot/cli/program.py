"""The program to run, as the command line names it: FILE, -c CODE, - or what follows `--`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Optional, Sequence, Tuple

from sandlot.contracts.errors import InvalidSpec, NotFound

from . import stdin
from .parsing import split


def parsed(
    parser: argparse.ArgumentParser, words: Sequence[str]
) -> Tuple[argparse.Namespace, Tuple[str, ...]]:
    """The options, wherever they stand before `--`, and the program after it; exits unless there is one."""
    ours, argv = split(words)
    options = parser.parse_intermixed_args(ours)
    if (options.file is not None) + (options.code is not None) + bool(argv) != 1:
        parser.error("give exactly one of FILE, -c CODE, - or -- PROGRAM ARG...")
    if argv and (options.handler is not None or options.event is not None):
        parser.error("--handler and --event are for Python code: give FILE, -c CODE or -")
    if options.file == "-" and options.event == "-":
        parser.error("standard input cannot be the program and its event: put one of them into a file")
    return options, argv


def code_of(options: argparse.Namespace) -> Optional[str]:
    """The Python code asked for; None for another program. Raises InvalidSpec, NotFound."""
    if options.file == "-":
        return _decoded(stdin.everything(), "standard input")
    if options.file is not None:
        return _decoded(_read(options.file), options.file)
    code: Optional[str] = options.code
    return code


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as cause:
        raise NotFound(
            f"{path} cannot be read: {cause.strerror}; a program other than Python goes after --"
        ) from cause


def _decoded(source: bytes, name: str) -> str:
    """Python source as text, by the encoding it declares (PEP 263)."""
    import io
    import tokenize

    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return source.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as cause:
        raise InvalidSpec(f"{name} is not Python source: {cause}; another program goes after --") from cause
