"""What both ways need: files opened by the descriptor of their directory, and work done in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from typing import Any, Callable, TypeVar

from sandlot.contracts.errors import Unsupported

Value = TypeVar("Value")


def require_descriptors() -> None:
    """Raise Unsupported where files cannot be opened by the descriptor of their directory."""
    if os.open not in os.supports_dir_fd:
        raise Unsupported(
            "files cannot be copied safely on this system: it opens none by directory descriptor"
        )


async def finished(work: Callable[..., Value], *arguments: Any) -> Value:
    """What *work* gives in a thread; a cancel is told only when it has ended: it uses our descriptors."""
    loop = asyncio.get_running_loop()
    ending = asyncio.ensure_future(loop.run_in_executor(None, functools.partial(work, *arguments)))
    try:
        return await asyncio.shield(ending)
    finally:
        while not ending.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([ending])
