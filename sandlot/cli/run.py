"""`sandlot run`: one program in a sandbox of its own; its output as it comes, its exit code as ours."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sandlot import settings
from sandlot.contracts.command import Command
from sandlot.contracts.errors import InvalidSpec, NotFound

from . import arguments, stdin


def main(words: Sequence[str]) -> int:
    """Run what *words* ask for; the program's exit code."""
    options, argv = _parsed(words)
    given = {name: getattr(options, name) for name in arguments.SETTINGS}
    chosen = settings.load(flags=given)
    command = _command(options, argv, chosen)
    if options.out:
        _make(Path(options.out))
    # Only now what starts sandboxes is loaded: a mistake on the command line is told at once.
    from . import execution, signals

    return signals.run(execution.execute(options, chosen, command))


def _parsed(words: Sequence[str]) -> tuple[argparse.Namespace, tuple[str, ...]]:
    """The options, and the program after `--`."""
    end = words.index("--") if "--" in words else len(words)
    parser = arguments.run()
    options, argv = parser.parse_args(words[:end]), tuple(words[end + 1 :])
    ways = (options.file is not None, options.code is not None, bool(argv))
    if sum(ways) != 1:
        parser.error("give exactly one of FILE, -c CODE, - or -- PROGRAM ARG...")
    return options, argv


def _command(options: argparse.Namespace, argv: tuple[str, ...], chosen: settings.Settings) -> Command:
    code = options.code
    if options.file == "-":
        code = _decoded(stdin.everything(), "standard input")
    elif options.file is not None:
        code = _decoded(_read(options.file), options.file)
    return Command(
        argv=argv,
        code=code,
        stdin=None if options.file == "-" else stdin.for_program(),
        env=_variables(options.env),
        timeout=chosen.timeout,
    )


def _make(folder: Path) -> None:
    """See before the program runs that what it makes can be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise InvalidSpec(f"--out {folder} cannot be made: {cause.strerror}") from cause


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


def _variables(pairs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidSpec(f"--env {name!r} has no value: write NAME=VALUE")
        found[name] = value
    return found
