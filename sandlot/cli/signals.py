"""Work that ends cleanly when we are told to end: the sandbox goes first, then we do."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

_ENDINGS = ("SIGINT", "SIGTERM", "SIGHUP")


def run(work: Coroutine[Any, Any, int]) -> int:
    """The exit code of *work*, or 128 + N when signal N ended it; its clean-up has run in both cases."""
    received: list[int] = []
    try:
        return asyncio.run(_until_told(work, received))
    except asyncio.CancelledError:
        if not received:
            raise
        return 128 + received[0]


async def _until_told(work: Coroutine[Any, Any, int], received: list[int]) -> int:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        received.append(number)
        task.cancel()

    # Windows has no handlers on a loop: Ctrl-C is a KeyboardInterrupt there.
    numbers = [] if sys.platform == "win32" else [signal.Signals[name] for name in _ENDINGS]
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
