"""The door of the command line: finds the verb, loads its file, turns errors into exit codes."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Dict, NamedTuple, Optional, Sequence, Tuple

EXIT_USAGE = 2
EXIT_OURS = 125
_OLDEST = (3, 11)


class _Verb(NamedTuple):
    """One line of the help, and the Python the verb needs."""

    does: str
    needs: Tuple[int, int] = (3, 8)


VERBS: Dict[str, _Verb] = {
    "run": _Verb("run a program in a sandbox of its own", _OLDEST),
    "create": _Verb("make a sandbox that lasts, on a server or with --local on this machine"),
    "exec": _Verb("run a program in a sandbox"),
    "shell": _Verb("work in a sandbox at a terminal"),
    "repl": _Verb("work with an interpreter that keeps its state"),
    "upload": _Verb("copy files and directories into a sandbox"),
    "download": _Verb("copy files out of a sandbox"),
    "touch": _Verb("renew a sandbox's lease"),
    "delete": _Verb("end sandboxes and remove their workspaces"),
    "ls": _Verb("list sandboxes"),
    "ps": _Verb("list what runs in a sandbox"),
    "logs": _Verb("print what a background process has written"),
    "health": _Verb("ask a server whether it can be used"),
    "pool": _Verb("what a server keeps ready, and how often that was enough"),
    "serve": _Verb("give sandboxes to others over HTTP", _OLDEST),
    "key": _Verb("create, list and revoke a server's API keys", _OLDEST),
    "jupyter": _Verb("kernels in sandboxes for the notebooks of this machine", _OLDEST),
    "doctor": _Verb("what this machine can enforce, just proven, and what is missing", _OLDEST),
    "bench": _Verb("measure what sandlot promises, beside baselines", _OLDEST),
    "env": _Verb("create, list and remove the Pythons that sandboxes see", _OLDEST),
    "config": _Verb("every setting with its value and where that came from"),
    "completion": _Verb("print completion for bash, zsh or fish"),
}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command line *arguments* (default: the process's); the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    first = words[0] if words else "--help"
    if first in ("-h", "--help", "help"):
        print(_help())
        return 0 if words else EXIT_USAGE
    if first in ("-V", "--version"):
        from sandlot._version import __version__

        print("sandlot " + __version__)
        return 0
    if first not in VERBS:
        print(f"sandlot: there is no command {first!a}: use one of {', '.join(VERBS)}", file=sys.stderr)
        return EXIT_USAGE
    return _carry_out(first, words[1:])


def _carry_out(verb: str, words: Sequence[str]) -> int:
    needed = VERBS[verb].needs
    if sys.version_info < needed:
        wanted, here = ("{}.{}".format(*version[:2]) for version in (needed, sys.version_info))
        print(f"sandlot: `sandlot {verb}` needs Python {wanted} or later, this is {here}", file=sys.stderr)
        return EXIT_OURS
    from sandlot.contracts.errors import SandlotError

    from . import render

    module = import_module("sandlot.cli." + verb)
    try:
        code: int = module.main(words)
        sys.stdout.flush()
    except SandlotError as error:
        render.failure(error, as_json="--json" in words[: _end_of_options(words)])
        return EXIT_OURS
    except BrokenPipeError:
        # Whoever read our output has gone: say no more, and keep Python from trying at exit.
        render.silence_stdout()
        return 128 + 13
    except KeyboardInterrupt:
        return 128 + 2
    return code


def _end_of_options(words: Sequence[str]) -> int:
    return words.index("--") if "--" in words else len(words)


def _help() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {name:<{width}}  {verb.does}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "usage: sandlot COMMAND ...",
            "",
            "Runs code nobody has read yet, behind the strongest walls this machine offers.",
            "",
            *lines,
            "",
            "  -h, --help     this text; `sandlot COMMAND --help` tells more",
            "  -V, --version  the version",
            "",
            "A program keeps its exit code; 124 is a timeout, 125 our own failure, 126 and 127 a program",
            "that cannot be executed or found, 128 + N death by signal N, 2 a command line we cannot read.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
