"""AsyncSandboxPool: so many handlers at once, with sandboxes made ahead."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Set

from sandlot.contracts.errors import BoxDied

from ...boxes import Boxes, require_python, spec_of, tell_ignored
from ...calling import call
from ..core.errors import NoAvailableSandboxError
from ..core.result import StandardExecutionResult
from .async_instance import AsyncSandboxInstance
from .config import SandboxConfig


class AsyncSandboxPool:
    """Lets *pool_size* handlers run at once and keeps as many sandboxes ready, where an engine can.

    Every run takes a fresh one. It may be used from any event loop. Raises Unsupported before Python 3.11.
    """

    def __init__(self, pool_size: int = 5, config: Optional[SandboxConfig] = None) -> None:
        require_python()
        self.pool_size = pool_size
        self.config = config or SandboxConfig()
        self._boxes: Optional[Boxes] = None
        self._lent: Set[AsyncSandboxInstance] = set()

    @property
    def is_running(self) -> bool:
        """Whether it was started and not shut down."""
        return self._boxes is not None

    async def start(self) -> None:
        """Begin to make sandboxes ahead; idempotent.

        Raises InvalidSpec for a configuration that cannot be, EngineUnavailable or Unsupported when no engine
        of this machine fulfils it. A sandbox that does not start is told by the run that wanted it.
        """
        await self._opened()

    async def acquire(self, timeout: float = 10.0) -> AsyncSandboxInstance:
        """A place to run handlers, which `release` gives back.

        Raises NoAvailableSandboxError when none came free in *timeout* seconds, RuntimeError before `start`.
        """
        if self._boxes is None:
            raise RuntimeError("the pool is not running: start it")
        boxes = self._boxes
        try:
            is_free = await boxes.enter(timeout)
        except BoxDied as error:
            raise NoAvailableSandboxError(error.message) from error
        if not is_free:
            raise NoAvailableSandboxError(
                f"all {self.pool_size} sandboxes of the pool are in use, and none came free in {timeout:g} "
                "seconds: wait longer, or make the pool larger"
            )
        instance = AsyncSandboxInstance(self.config, boxes=boxes)
        self._lent.add(instance)
        return instance

    async def release(self, sandbox: AsyncSandboxInstance) -> None:
        """Take back what `acquire` gave; a second time changes nothing."""
        if sandbox not in self._lent:
            return
        self._lent.discard(sandbox)
        await sandbox.terminate()
        if self._boxes is not None:
            await self._boxes.leave()

    async def shutdown(self) -> None:
        """End every sandbox; idempotent, and `start` makes new ones."""
        boxes = self._taken()
        if boxes is not None:
            await boxes.close()

    async def get_stats(self) -> Dict[str, Any]:
        """pool_size, idle_count (free places), busy_count, is_running."""
        busy = 0 if self._boxes is None else self._boxes.busy
        idle = self.pool_size - busy if self.is_running else 0
        return {
            "pool_size": self.pool_size,
            "idle_count": idle,
            "busy_count": busy,
            "is_running": self.is_running,
        }

    async def call(self, task: Mapping[str, Any]) -> StandardExecutionResult:
        """Run *task* once a place is free, however long that takes; starts the pool. See `calling.call`."""
        return await call(await self._opened(), task, self.config.timeout_seconds)

    def shutdown_now(self) -> None:
        """As shutdown, for code outside of any event loop."""
        boxes = self._taken()
        if boxes is not None:
            boxes.close_now()

    async def _opened(self) -> Boxes:
        if self._boxes is None:
            tell_ignored(self.config)
            self._boxes = Boxes(spec_of(self.config), self.pool_size, self.pool_size)
        boxes = self._boxes
        await boxes.opened()
        return boxes

    def _taken(self) -> Optional[Boxes]:
        boxes, self._boxes = self._boxes, None
        self._lent.clear()
        return boxes
