"""A transport for threads: waiting is poll(2)."""

from __future__ import annotations

import math
import select
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Mapping, Optional, Sequence, Union, cast

from sandlot.wire.http import Head, Request
from sandlot.wire.websocket import MAX_MESSAGE, NORMAL, Close

from .base import SyncTransport, SyncWebSocket
from .conversation import Conversation
from .courier import Courier, courier_to
from .talk import Talk
from .waiting import Flow, Lookup, Pause, Piece, Ready, Value, Want

if TYPE_CHECKING:
    import ssl


def connect(
    url: str,
    *,
    key: Optional[str] = None,
    timeout: float = 30.0,
    proxies: Optional[Mapping[str, str]] = None,
    context: Optional[ssl.SSLContext] = None,
    allow_plain: bool = False,
) -> SyncTransport:
    """A transport to the server at *url* (see `address`); nothing is opened before the first request.

    *key* is sent as a bearer token. *timeout* bounds making a connection and a WebSocket's handshake.
    *proxies* are the proxy variables by name, those of the environment for None. *context* replaces the
    verifying default for https. *allow_plain* lets the key travel unencrypted to another machine.

    Raises InvalidSpec for a URL, key or proxy that cannot be used.
    """
    return SocketTransport(
        courier_to(url, key=key, timeout=timeout, proxies=proxies, context=context, allow_plain=allow_plain)
    )


def drive(flow: Flow[Value]) -> Value:
    """The result of *flow*, waited for in this thread."""
    answer: Any = None
    while True:
        try:
            want = flow.send(answer)
        except StopIteration as end:
            return cast("Value", end.value)
        try:
            answer = _waited(want)
        except BaseException as error:
            flow.throw(error)
            raise


def _waited(want: Want) -> Any:
    if isinstance(want, Ready):
        return _is_ready(want)
    if isinstance(want, Pause):
        return time.sleep(want.seconds)
    if isinstance(want, Lookup):
        return socket.getaddrinfo(want.host, want.port, type=socket.SOCK_STREAM)
    return _next(want)


def _is_ready(want: Ready) -> bool:
    waiting = select.poll()
    waiting.register(want.descriptor, want.read * select.POLLIN | want.write * select.POLLOUT)
    return bool(waiting.poll(None if want.seconds is None else math.ceil(want.seconds * 1000)))


def _next(want: Piece) -> Optional[bytes]:
    return next(cast("Iterator[bytes]", want.source), None)


class SocketTransport:
    """See base.SyncTransport."""

    def __init__(self, courier: Courier) -> None:
        """Carry by *courier*."""
        self._courier = courier

    def __repr__(self) -> str:
        return f"<SocketTransport to {self._courier.address}>"

    @contextmanager
    def open(
        self, request: Request, *, content: Optional[Iterable[bytes]] = None, timeout: Optional[float] = None
    ) -> Iterator[SocketExchange]:
        source = None if content is None else iter(content)
        conversation = drive(self._courier.send(request, source, timeout))
        try:
            yield SocketExchange(conversation)
        finally:
            self._courier.finish(conversation)

    def websocket(
        self, request: Request, protocols: Sequence[str] = (), *, largest: int = MAX_MESSAGE
    ) -> SyncWebSocket:
        return SocketTalk(drive(self._courier.talk(request, protocols, largest)))

    def close(self) -> None:
        self._courier.close()


class SocketExchange:
    """See base.SyncExchange."""

    def __init__(self, conversation: Conversation) -> None:
        """Read what *conversation* brings."""
        self._conversation = conversation

    @property
    def head(self) -> Head:
        return self._conversation.head

    def read(self, most: int = 65536) -> bytes:
        return drive(self._conversation.read(most))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.read, b"")


class SocketTalk:
    """See base.SyncWebSocket."""

    def __init__(self, talk: Talk) -> None:
        """Speak on *talk*."""
        self._talk = talk

    @property
    def protocol(self) -> Optional[str]:
        return self._talk.protocol

    @property
    def ending(self) -> Optional[Close]:
        return self._talk.ending

    def send_bytes(self, data: bytes) -> None:
        drive(self._talk.send(data))

    def send_text(self, text: str) -> None:
        drive(self._talk.send(text))

    def stands(self) -> bool:
        return self._talk.stands()

    def ping(self) -> None:
        drive(self._talk.ping())

    def receive(self, timeout: Optional[float] = None) -> Union[bytes, str, None]:
        return drive(self._talk.receive(timeout))

    def close(self, code: int = NORMAL) -> None:
        drive(self._talk.close(code))
