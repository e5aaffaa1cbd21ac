"""One request for code to be run: what its kernel says of it, until everything was said.

It is over when both have come, the reply and the word that the kernel is idle again. Either may overtake
output elsewhere: the reply goes another way than output does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from . import errors
from .errors import ExecutionError
from .messages import DIED, Picture, Raised, Replied, Said, State, Text

LARGEST_OUTPUT: Final = 256 * 2**20
"""Characters of text and pictures that one request may bring forth."""

SETTLED: Final = 0.2
"""Seconds that an interrupted kernel has to become ready again before it is left to do so alone."""

_LATE: Final = 5.0  # seconds after a reply in which a kernel that does not say `idle` may still say more
_DIED: Final = Raised(DIED, "the kernel ended while it ran this code", "")
_IDLE: Final = State("idle")

Output = Text | Picture


class Running:
    """What is known of one request. Its connection calls `hear`, `die`, `lose`; one reader has `outputs`."""

    def __init__(
        self, request_id: str, interrupt: Callable[[], Awaitable[None]], largest: int = LARGEST_OUTPUT
    ) -> None:
        """*interrupt* interrupts the kernel; it raises ConnectionError when it cannot."""
        self.request_id = request_id
        self.was_cancelled = False
        self._interrupt = interrupt
        self._outputs: deque[Output] = deque()
        self._changed, self._over = asyncio.Event(), asyncio.Event()
        self._raised: Raised | None = None
        self._reply: Replied | None = None
        self._is_idle = False
        self._room = largest
        self._lost = ""

    @property
    def is_over(self) -> bool:
        """Whether everything was said."""
        return self._over.is_set()

    def hear(self, said: Said) -> None:
        """The kernel said this of it. Raises ValueError when that is more than may be."""
        if isinstance(said, Raised):
            self._raised = said
        elif isinstance(said, Replied):
            self._reply = said
        elif isinstance(said, State):
            self._is_idle = self._is_idle or said == _IDLE
        else:
            self._keep(said)
        if self._reply is not None and self._is_idle:
            self._over.set()
        self._changed.set()

    def die(self) -> None:
        """Its kernel is no more."""
        self._reply = self._reply or Replied(_DIED)
        self._end()

    def lose(self, why: str) -> None:
        """There is no connection to its kernel any more, because of *why*."""
        self._lost = why
        self._end()

    def cancel(self) -> None:
        """Let `outputs` interrupt the kernel and end, without an error."""
        self.was_cancelled = not self.is_over
        self._changed.set()

    async def stop(self, seconds: float = SETTLED) -> None:
        """Interrupt the kernel unless it is over, and give it *seconds* to be ready again."""
        if self.is_over:
            return
        try:
            await self._interrupt()
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except (errors.ConnectionError, TimeoutError):
            return

    async def outputs(self, timeout: float | None) -> AsyncIterator[Output]:
        """What the code brings forth, as it comes.

        Raises at its end ExecutionError for code that failed and ConnectionError for a connection that was
        lost, and TimeoutError after *timeout* seconds, when the kernel has been interrupted; its state stays.
        """
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        while (output := await self._next(deadline)) is not None:
            yield output
        if self.was_cancelled:
            await self.stop(2.0)
            return
        if self._lost:
            raise errors.ConnectionError(self._lost)
        if self._reply is not None and self._reply.raised is not None:
            raised = self._raised or self._reply.raised
            raise ExecutionError(raised.message, raised.trace)

    async def _next(self, deadline: float | None) -> Output | None:
        while not (self._outputs or self.is_over or self.was_cancelled):
            self._changed.clear()
            try:
                async with asyncio.timeout_at(self._until(deadline)):
                    await self._changed.wait()
            except TimeoutError:
                if self._reply is None:
                    await self.stop()
                    raise
                self._over.set()
        return self._outputs.popleft() if self._outputs and not self.was_cancelled else None

    def _until(self, deadline: float | None) -> float | None:
        if self._reply is None:
            return deadline
        late = asyncio.get_running_loop().time() + _LATE
        return late if deadline is None else min(late, deadline)

    def _keep(self, output: Output) -> None:
        self._room -= len(output.text if isinstance(output, Text) else output.data)
        if self._room < 0:
            raise ValueError("the code brought forth more than is kept of it: let it write files instead")
        self._outputs.append(output)

    def _end(self) -> None:
        self._over.set()
        self._changed.set()
