"""Household: what the kernels of one process share: a thread with a loop, and the service of this machine.

A blocking client's own loop does not run between its calls, so kernels never live on it. Sandboxes of one
service come from the same keeper and the same zygotes, so every kernel after the first starts fast.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import ClassVar, Final

from sandlot.client import AsyncClient
from sandlot.client.address import chosen_server
from sandlot.contracts.service import Service
from sandlot.local.iteration import Background
from sandlot.local.service import OWNER, LocalService
from sandlot.local.start import start

from .stay import Stay
from .wishes import Wishes


class Household:
    """Counts the kernels that live in it; with the last one everything ends that it started."""

    _lock: Final = threading.Lock()
    _open: ClassVar[Household | None] = None

    def __init__(self) -> None:
        """Start the thread. Prefer `join`."""
        self.background = Background()
        self._local = start()
        self._kernels = 0

    @classmethod
    def join(cls) -> Household:
        """That of this process, with one kernel more; whoever joins leaves once."""
        with cls._lock:
            found = cls._open = cls._open or cls()
            found._kernels += 1  # noqa: SLF001 - of this class
            return found

    async def leave(self) -> None:
        """One kernel less; the last one takes service and thread along. From any loop but its own."""
        with self._lock:
            self._kernels -= 1
            if self._kernels:
                return
            Household._open = None
        try:
            await asyncio.wrap_future(self.background.begin(self._local.close()))
        finally:
            await asyncio.to_thread(self.background.close)

    async def stay(self, wishes: Wishes, directory: Path) -> Stay:
        """A sandbox to be, here or on the server that *wishes* name. On its own loop.

        Raises InvalidSpec and Unsupported for wishes that cannot be.
        """
        return stay(wishes, directory, self._local)


def stay(wishes: Wishes, directory: Path, local: LocalService) -> Stay:
    """As Household.stay, over *local* where this machine is meant, which its end leaves open."""
    plan = wishes.plan({}, directory)
    if plan.is_local:
        return Stay(local.of(OWNER), wishes, plan)
    server = chosen_server(plan.settings)
    service: Service = AsyncClient(server.url, key=server.key)
    return Stay(service, wishes, plan)
