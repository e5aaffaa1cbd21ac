"""A terminal with a program of ours on it, watched and typed to as a person would."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_PATIENCE = 20.0


class Screen:
    """The person's side: `until` reads, `type` writes, `resize` drags the window's corner."""

    def __init__(self, ours: int, theirs: int, running: subprocess.Popen[bytes]) -> None:
        self._ours, self._theirs = ours, theirs
        self._seen = b""
        self.running = running

    def until(self, pattern: str, again: str = "") -> str:
        """Read until *pattern* is seen; what it matched. What comes before is forgotten.

        *again* are keys to press whenever nothing comes for a second.
        """
        deadline = time.monotonic() + _PATIENCE
        while not (found := re.search(pattern.encode(), self._seen)):
            left = max(0.0, deadline - time.monotonic())
            if select.select([self._ours], [], [], min(left, 1.0) if again else left)[0]:
                self._seen += os.read(self._ours, 4096)
            elif again and left:
                self.type(again)
            else:
                raise AssertionError(f"{pattern!r} did not come: {self._seen!r}")
        self._seen = self._seen[found.end() :]
        return found.group().decode()

    def type(self, keys: str) -> None:
        """Press *keys*."""
        os.write(self._ours, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size; the kernel tells the program (SIGWINCH)."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self) -> list[Any]:
        """How the terminal is set (termios(3))."""
        return termios.tcgetattr(self._theirs)

    def ended(self) -> int:
        """The program's exit code, once it has ended."""
        return self.running.wait(_PATIENCE)


@contextmanager
def screen(
    *words: str, env: Mapping[str, str], rows: int = 33, columns: int = 99, module: str = "sandlot.cli.main"
) -> Iterator[Screen]:
    """`sandlot`, or the main of *module*, with *words* on a terminal of its own, its controlling one."""
    ours, theirs = pty.openpty()
    script = "import sys, fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    script += f"from {module} import main; sys.exit(main())"
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-c", script, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**env, "TERM": "xterm-color"},
        start_new_session=True,
    ) as running:
        try:
            yield Screen(ours, theirs, running)
        finally:
            running.kill()
            os.close(ours)
            os.close(theirs)
