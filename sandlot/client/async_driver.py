"""Drives the flows of `wire` over a transport that waits in tasks."""

from __future__ import annotations

from typing import AsyncGenerator, AsyncIterable, Optional, TypeVar

from sandlot.contracts.cells import Cell, CellEvent
from sandlot.contracts.errors import ConnectionLost, TimedOut
from sandlot.contracts.streams import ended
from sandlot.transport.base import AsyncExchange, AsyncTransport
from sandlot.wire.flows import contexts
from sandlot.wire.flows.exchange import Answer, Ask, Flow, Stream, refusal

from .async_channels import AsyncChannels
from .kept import Place
from .whole import Whole

Value = TypeVar("Value")
Item = TypeVar("Item")


class AsyncDriver:
    """As Driver, for one event loop."""

    def __init__(self, transport: AsyncTransport) -> None:
        """Drive over *transport*, which `close` closes too."""
        self.transport = transport
        self.channels = AsyncChannels(transport, self.items)

    async def value(self, flow: Flow[Value], content: Optional[AsyncIterable[bytes]] = None) -> Value:
        """As Driver.value."""
        ask = next(flow)
        while True:
            try:
                ask = flow.send(await self._answer(ask, content))
            except StopIteration as end:
                value: Value = end.value
                return value

    async def items(self, stream: Stream[Item]) -> AsyncGenerator[Item, None]:
        """As Driver.items."""
        async with self.transport.open(stream.request, timeout=stream.patience) as exchange:
            if exchange.head.status not in stream.accepted:
                raise refusal(await _whole(exchange))
            items = stream.items(exchange.head)
            try:
                async for data in exchange:
                    for item in items.feed(data):
                        yield item
                items.finish()
            except (ConnectionLost, TimedOut):
                if not items.is_complete:
                    raise

    async def cells(self, place: Place, cell: Cell) -> AsyncGenerator[CellEvent, None]:
        """As Driver.cells."""
        async with ended(self.channels.run(place, cell)) as events:
            async for event in events:
                yield contexts.told(event)

    async def close(self) -> None:
        """Close every connection; idempotent."""
        await self.channels.close()
        await self.transport.close()

    async def _answer(self, ask: Ask, content: Optional[AsyncIterable[bytes]]) -> Answer:
        body = content if ask.has_content else None
        async with self.transport.open(ask.request, content=body, timeout=ask.patience) as exchange:
            return await _whole(exchange)


async def _whole(exchange: AsyncExchange) -> Answer:
    whole = Whole(exchange.head)
    async for data in exchange:
        whole.add(data)
    return whole.answer()
