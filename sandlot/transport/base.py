"""What a client may ask of a transport, in both colours; sockets and scripts implement it alike.

Everything a network does wrong is ConnectionLost or TimedOut of `contracts.errors`.
"""

from __future__ import annotations

from typing import (
    AsyncContextManager,
    AsyncIterable,
    AsyncIterator,
    ContextManager,
    Iterable,
    Iterator,
    Optional,
    Protocol,
    Sequence,
    Union,
)

from sandlot.wire.http import Head, Request
from sandlot.wire.websocket import MAX_MESSAGE, NORMAL, Close


class SyncExchange(Protocol):
    """One answer: its head is there, its body comes as it arrives, nothing is held back."""

    @property
    def head(self) -> Head:
        """Status and headers."""

    def read(self, most: int = 65536) -> bytes:
        """The next bytes of the body, as soon as there are any; empty at its end."""

    def __iter__(self) -> Iterator[bytes]:
        """The rest of the body, piece by piece."""


class SyncWebSocket(Protocol):
    """An open WebSocket. One thread may send while another receives; both may close it."""

    @property
    def protocol(self) -> Optional[str]:
        """The subprotocol that was agreed on."""

    @property
    def ending(self) -> Optional[Close]:
        """What the server closed with, once it did."""

    def send_bytes(self, data: bytes) -> None:
        """Send one binary message of at most 1 MiB; waits while the server does not read."""

    def send_text(self, text: str) -> None:
        """Send one text message of at most 1 MiB."""

    def stands(self) -> bool:
        """Whether neither side has closed it, by what has come so far. Nobody may receive meanwhile.

        What the server asked by pings is answered. True is no promise: a network tells its end late.
        """

    def ping(self) -> None:
        """Ask for a sign of life, so that nobody on the way takes a quiet connection for a dead one."""

    def receive(self, timeout: Optional[float] = None) -> Union[bytes, str, None]:
        """The next message; None once either side closed.

        Raises TimedOut after *timeout* seconds; nothing is lost by that, so it may be called again.
        """

    def close(self, code: int = NORMAL) -> None:
        """Say goodbye with *code* and let go; idempotent, and wakes a thread that receives."""


class SyncTransport(Protocol):
    """A way to one server. Two threads may use it at once."""

    def open(
        self, request: Request, *, content: Optional[Iterable[bytes]] = None, timeout: Optional[float] = None
    ) -> ContextManager[SyncExchange]:
        """Send *request*, its body in pieces when *content* is given, and hold the answer.

        *timeout* bounds each silence, not the whole; None waits for ever. An error answered while *content*
        is sent ends the sending. Leaving before the end of the body closes the connection. A redirect is
        InvalidSpec: it is not followed.
        """

    def websocket(
        self, request: Request, protocols: Sequence[str] = (), *, largest: int = MAX_MESSAGE
    ) -> SyncWebSocket:
        """Open a WebSocket; a refusal is raised as the error that the server told (`wire.problems`).

        A message of the server that is longer than *largest* bytes ends it.
        """

    def close(self) -> None:
        """Close what is kept for reuse; idempotent."""


class AsyncExchange(Protocol):
    """As SyncExchange."""

    @property
    def head(self) -> Head:
        """As SyncExchange.head."""

    async def read(self, most: int = 65536) -> bytes:
        """As SyncExchange.read."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """As SyncExchange.__iter__."""


class AsyncWebSocket(Protocol):
    """As SyncWebSocket, for tasks instead of threads."""

    @property
    def protocol(self) -> Optional[str]:
        """As SyncWebSocket.protocol."""

    @property
    def ending(self) -> Optional[Close]:
        """As SyncWebSocket.ending."""

    async def send_bytes(self, data: bytes) -> None:
        """As SyncWebSocket.send_bytes."""

    async def send_text(self, text: str) -> None:
        """As SyncWebSocket.send_text."""

    def stands(self) -> bool:
        """As SyncWebSocket.stands."""

    async def ping(self) -> None:
        """As SyncWebSocket.ping."""

    async def receive(self, timeout: Optional[float] = None) -> Union[bytes, str, None]:
        """As SyncWebSocket.receive; cancelling it loses nothing."""

    async def close(self, code: int = NORMAL) -> None:
        """As SyncWebSocket.close."""


class AsyncTransport(Protocol):
    """As SyncTransport, for tasks instead of threads; cancelling a task closes its connection."""

    def open(
        self,
        request: Request,
        *,
        content: Union[AsyncIterable[bytes], Iterable[bytes], None] = None,
        timeout: Optional[float] = None,
    ) -> AsyncContextManager[AsyncExchange]:
        """As SyncTransport.open."""

    async def websocket(
        self, request: Request, protocols: Sequence[str] = (), *, largest: int = MAX_MESSAGE
    ) -> AsyncWebSocket:
        """As SyncTransport.websocket."""

    async def close(self) -> None:
        """As SyncTransport.close."""
