"""A kernel as a process of its own, for clients that know no provisioners."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from sandlot import settings
from sandlot.jupyter.kernel import KernelEnd
from sandlot.local.start import start

from .connection import Connection, read
from .front import Front
from .household import stay
from .sockets import Sockets
from .wishes import Wishes

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def run(path: Path, wishes: Wishes) -> int:
    """Serve the connection file *path* until the kernel ends; 0 when it was told to end, else 1.

    SIGINT interrupts the cell that runs, SIGTERM and SIGHUP end the kernel, and so does the end of the client
    that started it. Raises SandlotError kinds.
    """
    return asyncio.run(Process(read(path), wishes).run())


class Process:
    """The kernel of this process."""

    def __init__(self, connection: Connection, wishes: Wishes) -> None:
        """Nothing starts yet."""
        self._connection, self._wishes = connection, wishes
        self._front: Front | None = None
        self._interrupts: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Its exit code."""
        loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(self._serve())
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        for number in _ENDING:
            loop.add_signal_handler(number, serving.cancel)
        with _client_watched(serving.cancel):
            await asyncio.wait([serving])
        if serving.cancelled():
            return 0
        return 0 if serving.result().ending is None else 1

    async def _serve(self) -> KernelEnd:
        local = start()
        try:
            lodging = stay(self._wishes, Path.cwd(), local)
            sockets = Sockets(self._connection)
            try:
                context = await lodging.open_context({})
                self._front = Front(context, sockets, self._wishes.longest())
                return await self._front.serve()
            finally:
                await sockets.close()
                await lodging.end()
        finally:
            await local.close()

    def _interrupt(self) -> None:
        if self._front is not None:
            task = asyncio.ensure_future(self._front.interrupt())
            self._interrupts.add(task)
            task.add_done_callback(self._interrupts.discard)


@contextlib.contextmanager
def _client_watched(gone: Callable[[], object]) -> Iterator[None]:
    """Within the block *gone* is called when the client ends that started us, if it said who it is."""
    client = settings.notebook_client()
    if client is None or not hasattr(os, "pidfd_open"):  # which other systems than Linux lack
        yield
        return
    loop = asyncio.get_running_loop()
    try:
        handle = os.pidfd_open(client)
    except OSError:  # it has ended already
        gone()
        yield
        return

    def ended() -> None:
        loop.remove_reader(handle)
        gone()

    loop.add_reader(handle, ended)
    try:
        yield
    finally:
        loop.remove_reader(handle)
        os.close(handle)
