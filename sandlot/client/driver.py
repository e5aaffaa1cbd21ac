"""Drives the flows of `wire` over a transport that waits in this thread."""

from __future__ import annotations

from contextlib import closing
from typing import Generator, Iterable, Optional, TypeVar

from sandlot.contracts.cells import Cell, CellEvent
from sandlot.contracts.errors import ConnectionLost, TimedOut
from sandlot.transport.base import SyncExchange, SyncTransport
from sandlot.wire.flows import contexts
from sandlot.wire.flows.exchange import Answer, Ask, Flow, Stream, refusal

from .channels import Channels
from .kept import Place
from .whole import Whole

Value = TypeVar("Value")
Item = TypeVar("Item")


class Driver:
    """Turns flows into calls; two threads may use one at once."""

    def __init__(self, transport: SyncTransport) -> None:
        """Drive over *transport*, which `close` closes too."""
        self.transport = transport
        self.channels = Channels(transport, self.items)

    def value(self, flow: Flow[Value], content: Optional[Iterable[bytes]] = None) -> Value:
        """What *flow* comes to; *content* is the body it announces."""
        ask = next(flow)
        while True:
            try:
                ask = flow.send(self._answer(ask, content))
            except StopIteration as end:
                value: Value = end.value
                return value

    def items(self, stream: Stream[Item]) -> Generator[Item, None, None]:
        """The items of *stream* as they come; leaving early closes the connection."""
        with self.transport.open(stream.request, timeout=stream.patience) as exchange:
            if exchange.head.status not in stream.accepted:
                raise refusal(_whole(exchange))
            items = stream.items(exchange.head)
            try:
                for data in exchange:
                    yield from items.feed(data)
                items.finish()
            except (ConnectionLost, TimedOut):
                if not items.is_complete:
                    raise

    def cells(self, place: Place, cell: Cell) -> Generator[CellEvent, None, None]:
        """The events of *cell* at *place* as they come; leaving early interrupts it."""
        with closing(self.channels.run(place, cell)) as events:
            for event in events:
                yield contexts.told(event)

    def close(self) -> None:
        """Close every connection; idempotent."""
        self.channels.close()
        self.transport.close()

    def _answer(self, ask: Ask, content: Optional[Iterable[bytes]]) -> Answer:
        body = content if ask.has_content else None
        with self.transport.open(ask.request, content=body, timeout=ask.patience) as exchange:
            return _whole(exchange)


def _whole(exchange: SyncExchange) -> Answer:
    whole = Whole(exchange.head)
    for data in exchange:
        whole.add(data)
    return whole.answer()
