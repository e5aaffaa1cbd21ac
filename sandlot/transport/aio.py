"""A transport for tasks: waiting is asyncio's readers and writers.

Not asyncio's streams: they drop what a server said before it hung up, as soon as a write fails.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterable,
    AsyncIterator,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
    cast,
)

from sandlot.wire.http import Head, Request
from sandlot.wire.websocket import MAX_MESSAGE, NORMAL, Close

from .base import AsyncTransport, AsyncWebSocket
from .conversation import Conversation, Source
from .courier import Courier, courier_to
from .credentials import Key
from .talk import Talk
from .waiting import Flow, Lookup, Pause, Ready, Value, Want

if TYPE_CHECKING:
    import ssl


def connect(
    url: str,
    *,
    key: Union[str, Key, None] = None,
    timeout: float = 30.0,
    proxies: Optional[Mapping[str, str]] = None,
    context: Optional[ssl.SSLContext] = None,
    allow_plain: bool = False,
) -> AsyncTransport:
    """As `sync.connect`. It belongs to no event loop: kept connections outlive the loop that made them."""
    return SocketTransport(
        courier_to(url, key=key, timeout=timeout, proxies=proxies, context=context, allow_plain=allow_plain)
    )


class Waiting:
    """Waits for what flows want. asyncio keeps one callback per socket and direction; here many may wait."""

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self._ready: Dict[int, List[Tuple[asyncio.Future[bool], Ready]]] = {}

    async def drive(self, flow: Flow[Value]) -> Value:
        """The result of *flow*; a cancelled task throws its cancellation into it."""
        answer: Any = None
        while True:
            try:
                want = flow.send(answer)
            except StopIteration as end:
                return cast("Value", end.value)
            try:
                answer = await self._waited(want)
            except BaseException as error:
                flow.throw(error)
                raise

    async def _waited(self, want: Want) -> Any:
        if isinstance(want, Ready):
            return await self._is_ready(want)
        if isinstance(want, Pause):
            return await asyncio.sleep(want.seconds)
        if isinstance(want, Lookup):
            return await _resolved(want)
        return await _next(want.source)

    async def _is_ready(self, want: Ready) -> bool:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[bool] = loop.create_future()
        timer = None if want.seconds is None else loop.call_later(want.seconds, _tell, told, False)
        entry = (told, want)
        self._ready.setdefault(want.descriptor, []).append(entry)
        self._watch(loop, want.descriptor)
        try:
            return await told
        finally:
            if timer is not None:
                timer.cancel()
            self._ready[want.descriptor].remove(entry)
            if not loop.is_closed():
                self._watch(loop, want.descriptor)

    def _watch(self, loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
        wants = [want for _, want in self._ready[descriptor]]
        if any(want.read for want in wants):
            loop.add_reader(descriptor, self._wake, descriptor, "read")
        else:
            loop.remove_reader(descriptor)
        if any(want.write for want in wants):
            loop.add_writer(descriptor, self._wake, descriptor, "write")
        else:
            loop.remove_writer(descriptor)
        if not wants:
            del self._ready[descriptor]

    def _wake(self, descriptor: int, direction: str) -> None:
        for told, want in self._ready.get(descriptor, []):
            if getattr(want, direction):
                _tell(told, True)


def _tell(told: asyncio.Future[bool], answer: bool) -> None:
    if not told.done():
        told.set_result(answer)


async def _resolved(want: Lookup) -> Any:
    loop = asyncio.get_running_loop()
    looking = loop.getaddrinfo(want.host, want.port, type=socket.SOCK_STREAM)
    try:
        return await asyncio.wait_for(looking, want.seconds)
    except asyncio.TimeoutError:
        return None


async def _next(source: Source) -> Optional[bytes]:
    if isinstance(source, AsyncIterator):
        try:
            return await source.__anext__()
        except StopAsyncIteration:
            return None
    return next(source, None)


class SocketTransport:
    """See base.AsyncTransport."""

    def __init__(self, courier: Courier) -> None:
        """Carry by *courier*."""
        self._courier = courier
        self._waiting = Waiting()

    def __repr__(self) -> str:
        return f"<SocketTransport to {self._courier.address}>"

    @asynccontextmanager
    async def open(
        self,
        request: Request,
        *,
        content: Union[AsyncIterable[bytes], Iterable[bytes], None] = None,
        timeout: Optional[float] = None,
    ) -> AsyncIterator[SocketExchange]:
        flow = self._courier.send(request, _source(content), timeout)
        conversation = await self._waiting.drive(flow)
        try:
            yield SocketExchange(conversation, self._waiting)
        finally:
            self._courier.finish(conversation)

    async def websocket(
        self, request: Request, protocols: Sequence[str] = (), *, largest: int = MAX_MESSAGE
    ) -> AsyncWebSocket:
        talk = await self._waiting.drive(self._courier.talk(request, protocols, largest))
        return SocketTalk(talk, self._waiting)

    async def close(self) -> None:
        self._courier.close()


def _source(content: Union[AsyncIterable[bytes], Iterable[bytes], None]) -> Optional[Source]:
    if content is None:
        return None
    return content.__aiter__() if isinstance(content, AsyncIterable) else iter(content)


class SocketExchange:
    """See base.AsyncExchange."""

    def __init__(self, conversation: Conversation, waiting: Waiting) -> None:
        """Read what *conversation* brings."""
        self._conversation = conversation
        self._waiting = waiting

    @property
    def head(self) -> Head:
        return self._conversation.head

    async def read(self, most: int = 65536) -> bytes:
        return await self._waiting.drive(self._conversation.read(most))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            data = await self.read()
            if not data:
                return
            yield data


class SocketTalk:
    """See base.AsyncWebSocket."""

    def __init__(self, talk: Talk, waiting: Waiting) -> None:
        """Speak on *talk*."""
        self._talk = talk
        self._waiting = waiting

    @property
    def protocol(self) -> Optional[str]:
        return self._talk.protocol

    @property
    def ending(self) -> Optional[Close]:
        return self._talk.ending

    async def send_bytes(self, data: bytes) -> None:
        await self._waiting.drive(self._talk.send(data))

    async def send_text(self, text: str) -> None:
        await self._waiting.drive(self._talk.send(text))

    def stands(self) -> bool:
        return self._talk.stands()

    async def ping(self) -> None:
        await self._waiting.drive(self._talk.ping())

    async def receive(self, timeout: Optional[float] = None) -> Union[bytes, str, None]:
        return await self._waiting.drive(self._talk.receive(timeout))

    async def close(self, code: int = NORMAL) -> None:
        await self._waiting.drive(self._talk.close(code))
