"""Both colours of a transport behind one blocking face, so that every test runs on both."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import (
    Any,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from sandlot.transport import aio, sync
from sandlot.transport.base import (
    AsyncExchange,
    AsyncTransport,
    AsyncWebSocket,
    SyncExchange,
    SyncTransport,
    SyncWebSocket,
)
from sandlot.wire.http import Head, Request
from sandlot.wire.websocket import MAX_MESSAGE, NORMAL, Close

Value = TypeVar("Value")
GET = Request("GET", "/x")
POST = Request("POST", "/x", {}, b"body")
Run = Callable[[Coroutine[Any, Any, Value]], Value]
Connect = Callable[..., SyncTransport]


class _Exchange:
    def __init__(self, exchange: AsyncExchange, loop: asyncio.AbstractEventLoop) -> None:
        self._exchange = exchange
        self._loop = loop

    @property
    def head(self) -> Head:
        return self._exchange.head

    def read(self, most: int = 65536) -> bytes:
        return self._loop.run_until_complete(self._exchange.read(most))

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._exchange.__aiter__()
        while True:
            try:
                yield self._loop.run_until_complete(_next(pieces))
            except StopAsyncIteration:
                return


async def _next(pieces: AsyncIterator[bytes]) -> bytes:
    return await pieces.__anext__()


class _WebSocket:
    def __init__(self, socket: AsyncWebSocket, loop: asyncio.AbstractEventLoop) -> None:
        self._socket = socket
        self._loop = loop

    @property
    def protocol(self) -> Optional[str]:
        return self._socket.protocol

    @property
    def ending(self) -> Optional[Close]:
        return self._socket.ending

    def send_bytes(self, data: bytes) -> None:
        self._loop.run_until_complete(self._socket.send_bytes(data))

    def send_text(self, text: str) -> None:
        self._loop.run_until_complete(self._socket.send_text(text))

    def stands(self) -> bool:
        return self._socket.stands()

    def ping(self) -> None:
        self._loop.run_until_complete(self._socket.ping())

    def receive(self, timeout: Optional[float] = None) -> Union[bytes, str, None]:
        return self._loop.run_until_complete(self._socket.receive(timeout))

    def close(self, code: int = NORMAL) -> None:
        self._loop.run_until_complete(self._socket.close(code))


class _Transport:
    def __init__(self, transport: AsyncTransport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop

    def __repr__(self) -> str:
        return repr(self._transport)

    @contextmanager
    def open(
        self, request: Request, *, content: Optional[Iterable[bytes]] = None, timeout: Optional[float] = None
    ) -> Iterator[SyncExchange]:
        source = None if content is None else _slowly(content)
        opened = self._transport.open(request, content=source, timeout=timeout)
        exchange = self._loop.run_until_complete(_enter(opened))
        try:
            yield _Exchange(exchange, self._loop)
        finally:
            self._loop.run_until_complete(_leave(opened))

    def websocket(
        self, request: Request, protocols: Sequence[str] = (), *, largest: int = MAX_MESSAGE
    ) -> SyncWebSocket:
        opening = self._transport.websocket(request, protocols, largest=largest)
        return _WebSocket(self._loop.run_until_complete(opening), self._loop)

    def close(self) -> None:
        self._loop.run_until_complete(self._transport.close())


async def _enter(opened: Any) -> Any:
    return await opened.__aenter__()


async def _leave(opened: Any) -> Any:
    return await opened.__aexit__(None, None, None)


async def _slowly(content: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in content:
        await asyncio.sleep(0)
        yield piece


@contextmanager
def face(colour: str) -> Iterator[Connect]:
    """`connect` of *colour*, sync or async; what it made is closed at the end."""
    loop = asyncio.new_event_loop()
    made = []

    def connect(url: str, **asked: Any) -> SyncTransport:
        asked.setdefault("proxies", {})
        transport: SyncTransport = (
            sync.connect(url, **asked) if colour == "sync" else _Transport(aio.connect(url, **asked), loop)
        )
        made.append(transport)
        return transport

    try:
        yield connect
    finally:
        for transport in made:
            transport.close()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def ask(transport: SyncTransport, request: Request = GET, **options: Any) -> Tuple[int, bytes]:
    """Status and whole body of the answer."""
    with transport.open(request, **options) as exchange:
        return exchange.head.status, b"".join(exchange)
