"""The options of `sandbox-run`, and what they name: a script, an event, a context."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional

MISSING = 2


class Mistake(Exception):
    """The command line cannot be followed; `code` is the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Task:
    """A handler's text, what it is called with, and the seconds it may take."""

    code: str
    event: Any
    context: Dict[str, Any]
    timeout: int


def parser() -> argparse.ArgumentParser:
    """Every option, as the original has them."""
    made = argparse.ArgumentParser(
        prog="sandbox-run", description="Call handler(event) of a script in a sandbox."
    )
    made.add_argument("script_path", help="a Python file (.py) that defines handler(event)")
    _add_values(made, "event", "e", "f")
    _add_values(made, "context", "c", None)
    made.add_argument("--timeout", "-t", type=_seconds, default=300, help="seconds the call may take (300)")
    made.add_argument("--verbose", "-v", action="store_true", help="tell more, about failures too")
    made.add_argument("--quiet", "-q", action="store_true", help="show nothing but the result")
    made.add_argument("--profile", "-p", action="store_true", help="show what the call used")
    made.add_argument("--output", "-o", help="write the result to this file too")
    made.add_argument("--format", choices=("pretty", "json", "yaml"), default="pretty", help="how to show it")
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    made.add_argument(
        "--log-level", choices=levels, default="WARNING", help="what is logged, on standard error"
    )
    # The number of the interface: scripts ask for it.
    made.add_argument("--version", action="version", version="%(prog)s 1.0.0")
    return made


def task_of(options: argparse.Namespace) -> Task:
    """What *options* name. Raises Mistake."""
    script = Path(options.script_path)
    if not script.exists():
        raise Mistake(f"Script file not found: {script}", MISSING)
    if not script.is_file():
        raise Mistake(f"Path is not a file: {script}", MISSING)
    event = _value(options.event, options.event_file, "event")
    context = _value(options.context, options.context_file, "context")
    if not isinstance(context, dict):
        raise Mistake(f"Invalid context JSON: {json.dumps(context):.60} is no object", MISSING)
    return Task(_code(script), event, context, options.timeout)


def _add_values(made: argparse.ArgumentParser, name: str, short: str, short_file: Optional[str]) -> None:
    group = made.add_mutually_exclusive_group()
    group.add_argument(f"--{name}", f"-{short}", default="{}", help=f"the {name} as JSON ({{}})")
    words: List[str] = [f"--{name}-file"] + ([f"-{short_file}"] if short_file else [])
    group.add_argument(*words, help=f"a file that holds the {name} as JSON")


def _seconds(text: str) -> int:
    seconds = int(text)
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{seconds} seconds are none: give 1 or more")
    return seconds


def _code(script: Path) -> str:
    if script.suffix != ".py":
        raise Mistake(f"Script must be a Python file (.py): {script}", 1)
    try:
        code = script.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"Failed to read script file: {error}", 1) from error
    if not code.strip():
        raise Mistake(f"Script file is empty: {script}", 1)
    return code


def _value(text: str, file: Optional[str], name: str) -> Any:
    where = f"{name} JSON" if file is None else f"JSON in file {file}"
    try:
        return json.loads(text if file is None else Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Mistake(f"File not found: {file}", MISSING) from error
    except OSError as error:
        raise Mistake(f"{file} cannot be read: {error.strerror}", MISSING) from error
    except (ValueError, RecursionError) as error:
        raise Mistake(f"Invalid {where}: {error}", MISSING) from error
