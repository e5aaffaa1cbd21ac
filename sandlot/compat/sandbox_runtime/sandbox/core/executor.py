"""LambdaSandboxExecutor: call a handler, given as text, and hear how it went."""

from __future__ import annotations

from typing import Any, Dict, Optional

from sandlot.contracts.errors import SandlotError

from ...outcome import failed
from ..sandbox.async_pool import AsyncSandboxPool
from .context import create_context
from .result import StandardExecutionResult


class LambdaSandboxExecutor:
    """Calls handlers, each in a sandbox of its own, by the places of *pool* (a pool of its own without).

    The pool is started by the first call. Raises Unsupported before Python 3.11.
    """

    def __init__(self, pool: Optional[AsyncSandboxPool] = None) -> None:
        self.pool = pool or AsyncSandboxPool()

    async def invoke(
        self, handler_code: str, event: Any, context_kwargs: Optional[Dict[str, Any]] = None
    ) -> StandardExecutionResult:
        """Call `handler(event)`, or `handler(event, context)`, of *handler_code*.

        It waits for a place as long as that takes. Never raises for what the handler does, nor for what
        cannot be run: `exit_code`, `stderr` and `reason` of the result say so.
        """
        try:
            context = create_context(**(context_kwargs or {})).to_dict()
            return await self.pool.call({"handler_code": handler_code, "event": event, "context": context})
        except (SandlotError, TypeError) as error:  # TypeError: a name that a context does not have
            return failed(error)

    def shutdown(self) -> None:
        """End every sandbox, waiting for that; idempotent."""
        self.pool.shutdown_now()


async def invoke(
    handler_code: str, event: Any, context_kwargs: Optional[Dict[str, Any]] = None
) -> StandardExecutionResult:
    """As LambdaSandboxExecutor.invoke, for one call: nothing is kept."""
    pool = AsyncSandboxPool(pool_size=1)
    try:
        return await LambdaSandboxExecutor(pool).invoke(handler_code, event, context_kwargs)
    finally:
        await pool.shutdown()
