"""What goes on, on a terminal, from the second second on."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Optional

_EVERY = 1.0


class Progress:
    """A line on standard error that counts the seconds of a block, where that is a terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._since = time.monotonic()
        self._next: Optional[asyncio.TimerHandle] = None
        self._is_shown = False

    def __enter__(self) -> None:
        if sys.stderr.isatty():
            self._wait()

    def __exit__(self, *_how: object) -> None:
        if self._next is not None:
            self._next.cancel()
        if self._is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _wait(self) -> None:
        self._next = asyncio.get_event_loop().call_later(_EVERY, self._show)

    def _show(self) -> None:
        elapsed = time.monotonic() - self._since
        print(f"\r\x1b[K{elapsed:5.1f}s {self._what}", end="", file=sys.stderr, flush=True)
        self._is_shown = True
        self._wait()
