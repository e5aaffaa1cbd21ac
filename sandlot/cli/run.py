"""`sandlot run`: one program in a sandbox of its own; its output as it comes, its exit code as ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sandlot import settings
from sandlot.contracts.command import Command
from sandlot.contracts.errors import InvalidSpec

from . import arguments, calling, parsing, program, stdin


def main(words: Sequence[str]) -> int:
    """Run what *words* ask for; the program's exit code."""
    parser = arguments.run()
    options, argv = program.parsed(parser, words)
    if options.context and (argv or options.handler is not None or options.event is not None):
        parser.error("--context is for code without a handler: give FILE, -c CODE or -")
    if options.language != "python" and not options.context:
        parser.error("--language needs --context: other languages run as cells; or run a program after --")
    given = {name: getattr(options, name) for name in arguments.SETTINGS}
    chosen = settings.load(flags=given)
    command = Command(
        argv=argv,
        code=program.code_of(options),
        stdin=None if "-" in (options.file, options.event) else stdin.for_program(),
        env=parsing.variables(options.env),
        timeout=chosen.timeout,
        handler=calling.handler_of(options),
    )
    if options.out:
        _make(Path(options.out))
    # Only now what starts sandboxes is loaded: a mistake on the command line is told at once.
    from . import execution, signals

    return signals.run(execution.execute(options, chosen, command))


def _make(folder: Path) -> None:
    """See before the program runs that what it makes can be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise InvalidSpec(f"--out {folder} cannot be made: {cause.strerror}") from cause
