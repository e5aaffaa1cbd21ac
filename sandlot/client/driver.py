"""Drives the flows of `wire` over a transport that waits in this thread."""

from __future__ import annotations

from typing import Generator, Iterable, Optional, TypeVar

from sandlot.contracts.errors import ConnectionLost, TimedOut
from sandlot.transport.base import SyncExchange, SyncTransport
from sandlot.wire.flows.exchange import Answer, Ask, Flow, Stream, refusal

from .whole import Whole

Value = TypeVar("Value")
Item = TypeVar("Item")


class Driver:
    """Turns flows into calls; two threads may use one at once."""

    def __init__(self, transport: SyncTransport) -> None:
        """Drive over *transport*, which stays the caller's to close."""
        self.transport = transport

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

    def _answer(self, ask: Ask, content: Optional[Iterable[bytes]]) -> Answer:
        body = content if ask.has_content else None
        with self.transport.open(ask.request, content=body, timeout=ask.patience) as exchange:
            return _whole(exchange)


def _whole(exchange: SyncExchange) -> Answer:
    whole = Whole(exchange.head)
    for data in exchange:
        whole.add(data)
    return whole.answer()
