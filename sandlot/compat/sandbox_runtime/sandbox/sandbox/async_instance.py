"""AsyncSandboxInstance: a place in which handlers run, one after the other, each in a fresh sandbox."""

from __future__ import annotations

import time
from typing import Any, Dict, Optional

from ...boxes import Boxes, require_python, spec_of
from ...calling import call
from .config import SandboxConfig


class AsyncSandboxInstance:
    """A place to run handlers. No run sees what another one left: each has a sandbox of its own.

    So there is no process and no port of it, and it needs never be retired. Raises Unsupported before
    Python 3.11.
    """

    def __init__(self, config: SandboxConfig, *, boxes: Optional[Boxes] = None) -> None:
        require_python()
        self.config = config
        self.task_count = 0
        self.create_time = time.time()
        self.last_active_time = self.create_time
        self.is_busy = False
        self._lent, self._boxes = boxes is not None, boxes

    async def start(self) -> None:
        """Make ready to run. Raises InvalidSpec for a configuration that cannot be."""
        if self._boxes is None:
            self._boxes = Boxes(spec_of(self.config))
        await self._boxes.opened()

    async def execute(self, task_data: Dict[str, Any]) -> Dict[str, Any]:
        """Run `handler_code` with `event`: exit_code, stdout, stderr, result.

        `context`, where given, is what a LambdaContext told. Raises RuntimeError when it is not alive.
        """
        if self._boxes is None:
            raise RuntimeError("the sandbox was not started, or has been terminated: start it")
        self.is_busy = True
        self.task_count += 1
        try:
            usual = self.config.timeout_seconds
            done = await call(self._boxes, task_data, usual, is_placed=self._lent)
        finally:
            self.is_busy = False
            self.last_active_time = time.time()
        told = done.to_dict()
        told["cpu_time_ms"] = told.pop("metrics")["cpu_time_ms"]
        return told

    def is_alive(self) -> bool:
        """Whether it was started and not terminated."""
        return self._boxes is not None

    def should_retire(self) -> bool:
        """Whether it is of no use any more."""
        return not self.is_alive()

    async def terminate(self) -> None:
        """End what runs in it; idempotent."""
        boxes, self._boxes = self._boxes, None
        if boxes is not None and not self._lent:
            await boxes.close()
