"""What all parsers of the command line have in common."""

from __future__ import annotations

import argparse
from typing import Dict, Sequence, Tuple

from sandlot import settings
from sandlot.contracts.errors import InvalidSpec


def parser_of(verb: str, does: str, usage: str = "") -> argparse.ArgumentParser:
    """The parser of `sandlot` *verb*. Abbreviated flags would change their meaning when a flag is added."""
    return argparse.ArgumentParser(
        prog="sandlot " + verb, description=does, usage=usage or None, allow_abbrev=False
    )


def add_handler(parser: argparse.ArgumentParser) -> None:
    """The flags by which a function of Python code is called."""
    parser.add_argument(
        "--handler",
        metavar="NAME",
        help="call this function of the code (default with --event: handler) and print what it returns as "
        "JSON; what the program prints goes to standard error",
    )
    parser.add_argument(
        "--event",
        metavar="JSON|@FILE|-",
        help="what the handler is given: JSON, a file with it, or standard input (default: null)",
    )


def add_config(parser: argparse.ArgumentParser) -> None:
    """The flag that names the configuration file; `configure` obeys it."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help=f"read this TOML file, not {settings.PROJECT_FILE} here and the user's (also: SANDLOT_CONFIG)",
    )


def configure(options: argparse.Namespace) -> None:
    """Have the file that `--config` names read, by whatever loads settings from now on."""
    if options.config is not None:
        settings.use_file(options.config)


def split(words: Sequence[str]) -> Tuple[Sequence[str], Tuple[str, ...]]:
    """What stands before `--`, which is ours, and the program after it."""
    end = words.index("--") if "--" in words else len(words)
    return words[:end], tuple(words[end + 1 :])


def variables(pairs: Sequence[str]) -> Dict[str, str]:
    """The variables that flags `--env NAME=VALUE` name. Raises InvalidSpec."""
    found: Dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidSpec(f"--env {name!r} has no value: write NAME=VALUE")
        found[name] = value
    return found
