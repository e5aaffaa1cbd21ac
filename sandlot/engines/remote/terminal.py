"""A terminal on a sandlot server whose program is gone once it was closed, as in other engines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from sandlot.client.async_terminal import AsyncRemoteTerminal
from sandlot.contracts.events import Event, Exited, Failed, Started
from sandlot.contracts.streams import ended
from sandlot.transport.base import AsyncWebSocket


class ServerTerminal(AsyncRemoteTerminal):
    """contracts.engine.Terminal. Its server hears of a hang-up when the connection is gone already."""

    def __init__(self, socket: AsyncWebSocket, killed: Callable[[str], Awaitable[None]]) -> None:
        """Hold an open terminal; *killed* waits until the server has killed a process."""
        super().__init__(socket)
        self._killed = killed
        self._process = ""

    async def events(self) -> AsyncGenerator[Event, None]:
        async with ended(super().events()) as events:
            async for event in events:
                if isinstance(event, Started):
                    self._process = event.process
                elif isinstance(event, (Exited, Failed)):
                    self._process = ""
                yield event

    async def close(self) -> None:
        await super().close()
        if self._process:
            await self._killed(self._process)
            self._process = ""
