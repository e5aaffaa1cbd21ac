"""Waiting until one of our own standard streams can be read or written, without a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def readable(descriptor: int) -> None:
    """Return when a read would not wait."""
    loop = asyncio.get_running_loop()
    await _called(lambda ready: loop.add_reader(descriptor, ready), lambda: loop.remove_reader(descriptor))


async def writable(descriptor: int) -> None:
    """Return when a small write would not wait."""
    loop = asyncio.get_running_loop()
    await _called(lambda ready: loop.add_writer(descriptor, ready), lambda: loop.remove_writer(descriptor))


async def _called(watch: Callable[[Callable[[], None]], None], forget: Callable[[], object]) -> None:
    ready = asyncio.Event()
    try:
        watch(ready.set)
    except (PermissionError, NotImplementedError):
        return  # epoll takes no regular files, which are always ready; Windows' loop takes nothing at all
    try:
        await ready.wait()
    finally:
        forget()
