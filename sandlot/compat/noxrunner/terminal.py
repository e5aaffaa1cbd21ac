"""Lines of the command line `noxrc`: a mark, and a colour when somebody is watching."""

from __future__ import annotations

import sys

_RED, _GREEN, _YELLOW, _BLUE = "0;31", "0;32", "1;33", "0;34"


def success(message: str) -> None:
    """Say on standard output that it worked."""
    _line("✓", message, _GREEN)


def information(message: str) -> None:
    """Say on standard output what happens."""
    _line("ℹ", message, _BLUE)  # noqa: RUF001 - the mark programs look for


def warning(message: str) -> None:
    """Say on standard output what is odd."""
    _line("⚠", message, _YELLOW)


def failure(message: str) -> None:
    """Say on standard error what went wrong."""
    sys.stdout.flush()
    sys.stderr.write(_coloured(f"✗ {message}", _RED) + "\n")
    sys.stderr.flush()


def plain(text: str = "") -> None:
    """A line on standard output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def passed_on(stdout: str, stderr: str) -> None:
    """A command's own output, unchanged."""
    sys.stdout.write(stdout)
    sys.stdout.flush()
    sys.stderr.write(stderr)
    sys.stderr.flush()


def _line(mark: str, message: str, colour: str) -> None:
    plain(_coloured(f"{mark} {message}", colour))


def _coloured(text: str, colour: str) -> str:
    return f"\033[{colour}m{text}\033[0m" if sys.stdout.isatty() else text
