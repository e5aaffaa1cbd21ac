"""How we write to people: messages, tables, colour and progress. Data goes to stdout, talk to stderr."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from typing import Any, Iterable, List, Sequence, TextIO

from sandlot import settings
from sandlot.contracts.errors import SandlotError

# Everything a terminal could obey: C0, DEL, C1, line and paragraph separators, bidirectional controls
# (CVE-2021-42574). What comes from a guest is shown, never carried out.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f]")
_COLOURS = {"good": "32", "bad": "31", "dim": "2", "strong": "1"}
PATIENCE = 1.0
"""Seconds after which people want to know what takes so long."""


def escaped(text: str) -> str:
    """*text* on one line, with every control character written out."""
    return _CONTROLS.sub(lambda found: ascii(found.group())[1:-1], text)


def say(message: str) -> None:
    """One message of ours to the person at the terminal, its lines kept, their controls escaped."""
    for line in message.split("\n"):
        print("sandlot: " + escaped(line), file=sys.stderr, flush=True)


def failure(error: SandlotError, *, as_json: bool) -> None:
    """Tell an error: as JSON on stdout for programs, else in words on stderr."""
    if as_json:
        document({"error": {"code": error.code, "message": error.message}})
        sys.stdout.flush()
    else:
        say(error.message)


def document(value: Any) -> None:
    """One JSON document on stdout: readable on a terminal, one line for programs."""
    print(json.dumps(value, indent=2 if sys.stdout.isatty() else None))


def table(rows: Iterable[Sequence[str]]) -> None:
    """Columns on stdout; the last one is as long as it is. What is not ours in them is escaped."""
    cells = [[escaped(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def coloured(text: str, tone: str, stream: TextIO) -> str:
    """*text* in a tone of _COLOURS where *stream* shows colour."""
    return f"\x1b[{_COLOURS[tone]}m{text}\x1b[0m" if shows_colour(stream) else text


def shows_colour(stream: TextIO) -> bool:
    """Whether colour is wanted on *stream*."""
    said = settings.terminal_variables()
    if said.get("NO_COLOR"):
        return False
    if said.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return stream.isatty() and said.get("TERM") != "dumb" and said.get("CLICOLOR") != "0"


class Progress:
    """What is going on, on stderr: one changing line on a terminal, plain lines elsewhere.

    *patient* keeps still for the first second, so that quick work shows nothing; *only_live* keeps still
    where there is no terminal.
    """

    def __init__(self, *, patient: bool = False, only_live: bool = False) -> None:
        """Begin to count."""
        self._only_live = only_live
        self._since = time.monotonic()
        self._patient = patient
        self._live = sys.stderr.isatty() and settings.terminal_variables().get("TERM") != "dumb"
        self._shown = False

    def __call__(self, text: str) -> None:
        """Say that *text* is going on."""
        elapsed = time.monotonic() - self._since
        if not text.strip() or (self._patient and elapsed < PATIENCE):
            return
        if self._live:
            room = max(20, shutil.get_terminal_size().columns - 8)
            print(f"\r\x1b[K{elapsed:5.1f}s {escaped(text)[:room]}", end="", file=sys.stderr, flush=True)
            self._shown = True
        elif not self._only_live:
            print("sandlot: " + escaped(text), file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the changing line away."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._shown = False


def silence_stdout() -> None:
    """Point stdout nowhere, for what Python still flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def listing(names: Iterable[str]) -> str:
    """Names as people write them."""
    found: List[str] = list(names)
    return ", ".join(found) if found else "-"
